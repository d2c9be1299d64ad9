// What goes into the bundle, and how: shared by the build and by the tests.

/** esbuild's options for the page. */
export function options(root) {
  return {
    absWorkingDir: root,
    entryPoints: { page: 'src/page.ts', icon: 'src/icon.svg', style: 'src/page.css' },
    entryNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    bundle: true,
    format: 'esm',
    target: ['es2022', 'safari16'],
    minify: true,
    legalComments: 'none',
    charset: 'utf8',
    banner: { js: '/* Longwave: Apache-2.0 */' },
    loader: { '.svg': 'copy' },
    metafile: true,
    write: true,
    logLevel: 'warning',
  };
}
