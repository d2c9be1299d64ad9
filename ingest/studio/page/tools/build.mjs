// Builds dist/ from src/ and strings/. The same inputs give the same bytes: names
// carry the hash of the content, nothing carries a time.
//
//   node tools/build.mjs           writes dist/
//   node tools/build.mjs --check   exits 1 when dist/ is not what a build gives
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { options } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** Every file below dir, as paths relative to it, in a fixed order. */
async function walk(dir) {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((e) => e.isFile())
    .map((e) => relative(dir, join(e.parentPath ?? e.path, e.name)))
    .sort();
}

/** The hash of everything that goes into dist/. page_test.go computes the same. */
async function sourcesHash() {
  const files = ['package-lock.json', 'tools/build.mjs', 'tools/bundle.mjs'];
  for (const dir of ['src', 'strings']) {
    for (const f of await walk(join(root, dir))) files.push(`${dir}/${f}`);
  }
  const lines = [];
  for (const f of files.sort()) lines.push(`${sha256(await readFile(join(root, f)))}  ${f}\n`);
  return sha256(lines.join(''));
}

/** Builds into out. */
async function make(out) {
  await mkdir(join(out, 'a'), { recursive: true });
  const result = await build({ ...options(root), outdir: join(out, 'a') });
  const names = Object.keys(result.metafile.outputs).map((path) => basename(path));
  const files = Object.fromEntries(names.sort().map((name) => [name.replace(/-[0-9A-Za-z]+(?=\.[a-z]+$)/, ''), name]));
  const manifest = { sources: await sourcesHash(), files };
  await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

async function report(dir) {
  for (const f of await walk(join(dir, 'a'))) {
    const data = await readFile(join(dir, 'a', f));
    console.log(`${f.padEnd(28)} ${String(data.length).padStart(7)} B  gzip ${gzipSync(data, { level: 9 }).length} B`);
  }
}

/** Returns the names of files that differ between two folders. */
async function differences(a, b) {
  const names = new Set([...(await walk(a)), ...(await walk(b))]);
  const read = (dir, f) => readFile(join(dir, f)).catch(() => null);
  const bad = [];
  for (const f of names) {
    const [x, y] = [await read(a, f), await read(b, f)];
    if (!x || !y || !x.equals(y)) bad.push(f);
  }
  return bad;
}

if (process.argv.includes('--check')) {
  const out = await mkdtemp(join(tmpdir(), 'longwave-studio-'));
  await make(out);
  const bad = await differences(dist, out);
  await rm(out, { recursive: true });
  if (bad.length > 0) {
    console.error(`dist/ is not what a build gives: ${bad.join(', ')}. Run "npm run build" and commit dist/.`);
    process.exit(1);
  }
  console.log('dist/ is what a build gives');
} else {
  // dist/ stays as it is when a build fails: the Go program embeds it.
  const out = await mkdtemp(join(tmpdir(), 'longwave-studio-'));
  await make(out);
  await rm(dist, { recursive: true, force: true });
  await cp(out, dist, { recursive: true });
  await rm(out, { recursive: true });
  await report(dist);
}
