// What the playlist's EXT-X-DATERANGEs say about the sound at an instant.
import type { OnAir } from './states';

export interface Range {
  readonly class: string;
  readonly startDate: Date;
  readonly endDate: Date | null;
  readonly attr: Readonly<Record<string, string | undefined>>;
}

/** The CLASS of ranges that say what is on air; X-STATE says which. */
export const ON_AIR_CLASS = 'longwave.onair';

/** What is on air at an instant: the newest range of the class that holds it. */
export function onAirAt(ranges: Iterable<Range>, at: Date): OnAir {
  let newest: Range | null = null;
  for (const range of ranges) {
    const over = range.endDate !== null && range.endDate <= at;
    if (range.class !== ON_AIR_CLASS || range.startDate > at || over) continue;
    if (!newest || range.startDate >= newest.startDate) newest = range;
  }
  const state = newest?.attr['X-STATE'];
  return state === 'live' || state === 'hold' ? state : 'unknown';
}
