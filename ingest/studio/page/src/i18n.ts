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

/** The page's language and its words, chosen once. */
export const language = choose(globalThis.navigator?.languages ?? [], 'en');

/** How the browser writes times and figures in that language. */
const locale = globalThis.navigator?.languages?.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;

/** A sentence in the page's language. */
export function t(key: Key, values: Readonly<Record<string, string>> = {}): string {
  return fill(languages[language]![key], values);
}

/** Whether there is such a sentence: for what the server may name some day. */
export const isKey = (key: string): key is Key => Object.hasOwn(languages['en']!, key);

/** -18.2, with the language's comma and a true minus; a dash when there is none. */
export function decibels(value: number | null | undefined, digits = 1): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const shown = value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return shown.replace('-', '−');
}

/** 20:03 or 20:03:12; the page's zone. */
export function clockTime(ms: number, seconds = false): string {
  return new Date(ms).toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', ...(seconds ? { second: '2-digit' } : {}), hourCycle: 'h23' });
}

/** Fri 20 Nov, 20:00. */
export function dayTime(ms: number): string {
  return new Date(ms).toLocaleString(locale, { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}
