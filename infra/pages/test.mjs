// Runs the tests of the page in whose folder it runs: those of the pure parts, bundled
// for node, then those that need a browser.
//
//   npm test                 all
//   npm test -- unit         only the pure parts
//   npm test -- browser      only the browser
import { spawnSync } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { esbuild, root } from './page.mjs';

async function unit() {
  const out = join(root, 'node_modules/.cache/longwave-tests');
  await rm(out, { recursive: true, force: true });
  const names = (await readdir(join(root, 'test'))).filter((f) => f.endsWith('.test.ts'));
  await esbuild.build({
    entryPoints: names.map((f) => join(root, 'test', f)),
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  return names.map((f) => join(out, f.replace(/\.ts$/, '.mjs')));
}

const browser = async () => (await readdir(join(root, 'test'))).filter((f) => f.endsWith('.test.mjs')).map((f) => join(root, 'test', f));
const which = { unit, browser };
const wanted = process.argv[2];
for (const [name, files] of Object.entries(which)) {
  if (wanted && wanted !== name) continue;
  const { status } = spawnSync(process.execPath, ['--test', ...(await files())], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
