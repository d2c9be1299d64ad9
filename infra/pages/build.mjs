// Builds the dist/ of the page in whose folder it runs, from its src/, its strings/
// and its pinned packages, as its tools/bundle.mjs says. The same inputs give the same
// bytes: names carry the hash of the content, nothing carries a time.
//
//   npm run build                  writes dist/
//   npm run build -- --check       exits 1 when dist/ is not what a build gives
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { esbuild, root } from './page.mjs';

const { options } = await import(pathToFileURL(join(root, 'tools/bundle.mjs')));
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

/** The hash of everything that goes into dist/: pages_test.go computes the same. */
async function sourcesHash() {
  const files = [relative(root, fileURLToPath(import.meta.url)), 'package-lock.json', 'tools/bundle.mjs'];
  for (const dir of ['src', 'strings']) {
    for (const f of await walk(join(root, dir))) files.push(`${dir}/${f}`);
  }
  const lines = [];
  for (const f of files.sort()) lines.push(`${sha256(await readFile(join(root, f)))}  ${f}\n`);
  return sha256(lines.join(''));
}

/** The packages whose code is inside the bundle. */
function packages({ outputs }) {
  const used = Object.values(outputs).flatMap((o) => Object.keys(o.inputs));
  const names = used.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  return [...new Set(names.filter(Boolean))].sort();
}

/** The licence texts of these packages. */
async function licences(names) {
  const parts = [];
  for (const name of names) {
    const dir = join(root, 'node_modules', name);
    const { version, license } = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'));
    const file = (await readdir(dir)).find((f) => /^licen[cs]e/i.test(f));
    const text = file ? await readFile(join(dir, file), 'utf8') : '';
    parts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return parts.join(`\n${'-'.repeat(72)}\n\n`);
}

/** Builds into out. */
async function make(out) {
  await mkdir(join(out, 'a'), { recursive: true });
  const result = await esbuild.build({ ...options(root), outdir: join(out, 'a') });
  const files = {};
  for (const path of Object.keys(result.metafile.outputs)) {
    const name = basename(path);
    files[name.replace(/-[0-9A-Za-z]+(?=\.[a-z]+$)/, '')] = name;
  }
  const foreign = packages(result.metafile);
  if (foreign.length > 0) {
    const text = await licences(foreign);
    files['licences.txt'] = `licences-${sha256(text).slice(0, 8).toUpperCase()}.txt`;
    await writeFile(join(out, 'a', files['licences.txt']), text);
  }
  const sorted = Object.fromEntries(Object.entries(files).sort());
  const manifest = { sources: await sourcesHash(), files: sorted };
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
  const out = await mkdtemp(join(tmpdir(), 'longwave-page-'));
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
  const out = await mkdtemp(join(tmpdir(), 'longwave-page-'));
  await make(out);
  await rm(dist, { recursive: true, force: true });
  await cp(out, dist, { recursive: true });
  await rm(out, { recursive: true });
  await report(dist);
}
