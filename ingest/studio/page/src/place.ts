// What is so, in words' keys: where I am, who hears me, what is wrong. Pure.
import type { Alarm, Snapshot, Speaker } from './api';
import type { LineState } from './line';

/** Whether the audience hears the hold anyhow, until somebody goes live. */
export const closed = (s: Snapshot): boolean => s.phase === 'doors' || s.phase === 'ended';

/** Whether what is on air now goes out, or would at the first word. */
export function goesOut(s: Snapshot): boolean {
  return s.audience_hears === 'live' || (!closed(s) && !s.hold);
}

/**
 * Whether I am heard by the audience the moment I join: a host of a broadcast that is
 * live, who was on air before, and where nothing is announced and nobody hosts the
 * first voice.
 */
export function joinsOnAir(s: Snapshot): boolean {
  if (!goesOut(s)) return false;
  const own = me(s);
  if (own) return own.on_air;
  if (s.me.role === 'host') return s.phase === 'live';
  return (s.phase === 'auto' || s.phase === 'scheduled') && !s.speakers.some((p) => p.connected && (p.on_air || p.role === 'host'));
}

export type Place =
  | 'away' // not joined
  | 'green' // heard by the others here
  | 'ready' // on air as soon as the programme is
  | 'held' // on air, but the host lets the audience hear the hold
  | 'air'
  | 'air_hold' // on air; the hold plays until somebody speaks
  | 'talkback'; // a host who talks to some, not to the audience

export const me = (s: Snapshot): Speaker | undefined => s.speakers.find((p) => p.seat === s.me.seat);

/** Where this page's speaker is, as far as the server knows. */
export function place(s: Snapshot): Place {
  const own = me(s);
  if (!own?.connected) return 'away';
  if (s.talkback.length > 0) return 'talkback';
  if (!own.on_air) return 'green';
  if (goesOut(s)) return s.audience_hears === 'live' ? 'air' : 'air_hold';
  return s.hold && !closed(s) ? 'held' : 'ready';
}

/** On air in the sense of the red frame: what is said now is heard by the audience. */
export const isOnAir = (p: Place): boolean => p === 'air' || p === 'air_hold';

export interface Lines {
  events: LineState;
  voice: LineState;
  ear: LineState;
}

export type Trouble = 'twin' | 'offline' | 'events' | 'voice' | 'ear' | 'ending' | 'connecting' | null;

/** The one thing to say about the lines, the worst first. */
export function trouble({ events, voice, ear }: Lines, online: boolean): Trouble {
  if (!online) return 'offline';
  const down = (l: LineState): boolean => l.phase === 'waiting' || (l.phase === 'trying' && (l.was || l.tries > 0));
  if (down(events)) return events.reason === 'ending' ? 'ending' : 'events';
  if (down(voice)) return 'voice';
  if (down(ear)) return 'ear';
  return voice.phase === 'trying' || ear.phase === 'trying' ? 'connecting' : null;
}

/**
 * Whether another window has my seat: the server has a voice of mine that began after
 * the one it had while mine was up.
 */
export function takenOver(s: Snapshot, mine: string | null): boolean {
  const own = me(s);
  return mine !== null && own?.connected === true && own.since !== null && Date.parse(own.since) > Date.parse(mine);
}

/** Whether the server, which had my voice, has none of mine. */
export const forgotten = (s: Snapshot, mine: string | null): boolean => mine !== null && me(s)?.connected !== true;

/** Alarms, the worst first, the oldest of these first. */
export function sorted(alarms: readonly Alarm[]): Alarm[] {
  const rank = (a: Alarm): number => (a.level === 'alarm' ? 0 : 1);
  return [...alarms].sort((a, b) => rank(a) - rank(b) || a.since.localeCompare(b.since));
}

/** Where a level is on a meter, 0 to 1: -60 dB and below is 0, 0 dB is 1; the upper part is wider. */
export function meterAt(db: number | null | undefined): number {
  if (db === null || db === undefined || Number.isNaN(db)) return 0;
  const x = Math.min(1, Math.max(0, (db + 60) / 60));
  return x * x * 0.35 + x * 0.65;
}
