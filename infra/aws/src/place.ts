import { fileURLToPath } from 'node:url';

/** Returns the path of a file of infra/aws; this file runs in dist/src. */
export const fromRoot = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
