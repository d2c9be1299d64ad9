// What the playlist's EXT-X-DATERANGEs say about the sound at an instant. The
// classes are the packager's (packager/marks.go).
import type { OnAir } from './states';

export interface Range {
  readonly class: string;
  readonly startDate: Date;
  readonly endDate: Date | null;
  readonly attr: Readonly<Record<string, string | undefined>>;
}

export interface Now {
  readonly onAir: OnAir;
  /** Of what is on air; empty where the programme does not say. */
  readonly title: string;
  /** The names of who speaks, in the order in which they began. */
  readonly speakers: readonly string[];
}

/** What holds at an instant. Of a class of which one holds at a time the newest range counts. */
export function nowAt(ranges: Iterable<Range>, at: Date): Now {
  const holding = [...ranges]
    .filter((r) => r.startDate <= at && !(r.endDate && r.endDate <= at))
    .sort((a, b) => a.startDate.getTime() - b.startDate.getTime());
  const newest = (name: string, attribute: string): string =>
    holding.filter((r) => r.class === name).at(-1)?.attr[attribute] ?? '';
  const state = newest('longwave.onair', 'X-STATE');
  const speaking = holding.filter((r) => r.class === 'longwave.speaker').map((r) => r.attr['X-SPEAKER'] ?? '');
  return {
    onAir: state === 'live' || state === 'hold' ? state : 'unknown',
    title: newest('longwave.title', 'X-TITLE'),
    speakers: [...new Set(speaking.filter((name) => name !== ''))],
  };
}

export const nothing: Now = { onAir: 'unknown', title: '', speakers: [] };
