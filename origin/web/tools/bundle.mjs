// What goes into the bundle, and how: shared by the build and by the tests.
import { join } from 'node:path';

// hls.js is bundled from its sources, so that what an audio-only player never
// uses stays out: 122 kB of gzip with these flags, 189 kB in the ready-made file.
const flags = {
  __VERSION__: '"1.7.4"',
  __USE_CONTENT_STEERING__: false,
  __USE_ALT_AUDIO__: false,
  __USE_CMCD__: false,
  __USE_EME_DRM__: false,
  __USE_IFRAMES__: false,
  __USE_INTERSTITIALS__: false,
  __USE_M2TS_ADVANCED_CODECS__: false,
  __USE_MEDIA_CAPABILITIES__: false,
  __USE_SUBTITLES__: false,
  __USE_VARIABLE_SUBSTITUTION__: false,
  __IN_WORKER__: false,
};

const define = Object.fromEntries(Object.entries(flags).map(([k, v]) => [k, String(v)]));
define.__HLS_WORKER_BUNDLE__ = 'undefined';

/** esbuild's options for the page. */
export function options(root) {
  return {
    absWorkingDir: root,
    entryPoints: { page: 'src/page.ts', icon: 'src/icon.svg', style: 'src/page.css' },
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: ['es2020', 'safari15'],
    minify: true,
    legalComments: 'none',
    charset: 'utf8',
    banner: { js: '/* Longwave and hls.js: Apache-2.0; the texts are in licences-*.txt beside this file. */' },
    define,
    alias: { 'hls.js': join(root, 'node_modules/hls.js/src/exports-named.ts') },
    loader: { '.svg': 'copy' },
    metafile: true,
    write: true,
    logLevel: 'warning',
  };
}
