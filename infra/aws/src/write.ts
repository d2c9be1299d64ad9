// Makes the templates that are committed: `make aws`.
import { writeFileSync } from 'node:fs';
import { makeApp } from './app.js';
import { fromRoot } from './place.js';

/** Names of the committed files by stack. */
export const files = { longwave: 'template.json', 'longwave-store': 'store.json' } as const;

/** Returns the text of every template. Throws when cdk-nag finds something that nobody answered for. */
export function templates(outdir?: string): Map<string, string> {
  const assembly = makeApp(outdir).synth();
  return new Map(Object.entries(files).map(([stack, file]) => [
    file, `${JSON.stringify(assembly.getStackByName(stack).template, null, 1)}\n`,
  ]));
}

if (process.argv[1] === fromRoot('dist/src/write.js')) {
  for (const [file, text] of templates()) writeFileSync(fromRoot(file), text);
}
