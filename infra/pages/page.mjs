// The page in whose folder we run, as npm does, and its esbuild: there are no packages
// beside us.
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The page's folder. */
export const root = process.cwd();

export const esbuild = createRequire(join(root, 'package.json'))('esbuild');
