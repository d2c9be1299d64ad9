// What an encoder needs to be told, as rows to copy. Pure.
import type { Push } from './api';

export interface Row {
  kind: string; // rtmp
  name: string; // server, empty when there is but one value
  value: string;
}

/** Flattens the server's answer, whatever depth it has. */
export function rows(push: Push | undefined): Row[] {
  const all: Row[] = [];
  const add = (kind: string, path: string[], value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [k, v] of Object.entries(value)) add(kind, [...path, k], v);
    } else if (value !== null && value !== undefined && value !== '') {
      all.push({ kind, name: path.join(' ').replaceAll('_', ' '), value: String(value) });
    }
  };
  for (const [kind, value] of Object.entries(push ?? {})) add(kind, [], value);
  return all;
}
