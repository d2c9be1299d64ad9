// The page's words: one file a language, chosen by the browser's languages.
import de from '../strings/de.json';
import en from '../strings/en.json';

export type Key = keyof typeof en;
export type Strings = Readonly<Record<Key, string>>;

export const languages: Readonly<Record<string, Strings>> = { de, en };

/** The first of the wanted languages that there are strings for, else the fallback. */
export function choose(wanted: readonly string[], fallback: string): string {
  for (const tag of [...wanted, fallback]) {
    const language = tag.toLowerCase().split('-')[0] ?? '';
    if (Object.hasOwn(languages, language)) return language;
  }
  return 'en';
}

/** Fills the {names} of a sentence. A name without a value stays as it is. */
export function fill(sentence: string, values: Readonly<Record<string, string>>): string {
  return sentence.replace(/\{(\w+)\}/g, (all, name: string) => values[name] ?? all);
}
