// What the listener is told. Pure: events go in, a state comes out, and a view
// of the state says which sentence, which dot and which button to show.
import type { Key } from './i18n';

/** What the playlist says is on air at the place that is heard. */
export type OnAir = 'unknown' | 'live' | 'hold';

/** What plays: it loads, it did not load and is tried again, it is here, or this browser has nothing. */
export type Engine = 'loading' | 'late' | 'ready' | 'none';

/** What is known of the station. */
export type Station = 'unknown' | 'present' | 'absent' | 'ended';

/** The way on which sound comes: a slower one is a backup, and for a while the usual one is back. */
export type Way = 'usual' | 'backup' | 'returned';

export interface State {
  /** The listener asked for sound. */
  readonly wanted: boolean;
  /** Sound is heard now. */
  readonly sounding: boolean;
  /** Sound was heard since the listener asked. */
  readonly heard: boolean;
  /** Sound was due long ago and has not come yet. */
  readonly overdue: boolean;
  readonly engine: Engine;
  readonly station: Station;
  readonly online: boolean;
  readonly onAir: OnAir;
  readonly way: Way;
}

export type Event =
  | { readonly type: 'play' | 'pause' | 'sound' | 'silence' }
  | { readonly type: 'engine'; readonly engine: Engine }
  | { readonly type: 'station'; readonly station: Station }
  | { readonly type: 'network'; readonly online: boolean }
  | { readonly type: 'onair'; readonly onAir: OnAir }
  | { readonly type: 'way'; readonly way: Way };

/** The states by name, for style sheets and for measuring. */
export type Phase =
  | 'unsupported'
  | 'unloaded'
  | 'loading'
  | 'idle'
  | 'starting'
  | 'playing'
  | 'fallback'
  | 'reconnecting'
  | 'offline'
  | 'waiting'
  | 'absent'
  | 'ended';

export const initial: State = {
  wanted: false,
  sounding: false,
  heard: false,
  overdue: false,
  engine: 'loading',
  station: 'unknown',
  online: true,
  onAir: 'unknown',
  way: 'usual',
};

export function reduce(state: State, event: Event): State {
  switch (event.type) {
    case 'play':
      return { ...state, wanted: true, sounding: false, heard: false, overdue: false };
    case 'pause':
      return { ...initial, engine: state.engine, station: state.station, online: state.online };
    case 'sound':
      if (!state.wanted) return state;
      return { ...state, sounding: true, heard: true, station: 'present', online: true };
    case 'silence':
      return state.wanted ? { ...state, sounding: false, overdue: true } : state;
    case 'engine':
      return { ...state, engine: event.engine };
    case 'station':
      // The playlists of what has ended stay: only sound shows that it goes on.
      if (state.station === 'ended' && event.station === 'present') return state;
      return { ...state, station: event.station };
    case 'network':
      return { ...state, online: event.online };
    case 'onair':
      return { ...state, onAir: event.onAir };
    case 'way':
      return { ...state, way: event.way };
  }
}

export function phase(state: State): Phase {
  const { wanted, sounding, heard, overdue, engine, station, online } = state;
  if (engine === 'none') return 'unsupported';
  if (wanted && sounding) return state.way === 'backup' ? 'fallback' : 'playing';
  if (wanted && !online) return 'offline';
  if (station === 'ended') return 'ended';
  if (station === 'absent' && !wanted) return 'absent';
  if (station === 'absent' && !heard) return 'waiting';
  if (engine === 'late') return wanted ? 'loading' : 'unloaded';
  if (!wanted) return 'idle';
  return heard || overdue ? 'reconnecting' : 'starting';
}

export type Dot = 'none' | 'air' | 'sound' | 'waiting';

export interface View {
  readonly phase: Phase;
  readonly sentence: Key;
  /** air is red and means "on air": nothing else is. */
  readonly dot: Dot;
  readonly button: 'play' | 'pause';
  readonly showBehind: boolean;
}

const heard: Readonly<Record<OnAir, { readonly sentence: Key; readonly dot: Dot }>> = {
  unknown: { sentence: 'playing', dot: 'sound' },
  live: { sentence: 'live', dot: 'air' },
  hold: { sentence: 'hold', dot: 'waiting' },
};

// What is on air comes first: who hears music wants to know why.
function hearing({ onAir, way }: State): { readonly sentence: Key; readonly dot: Dot } {
  const said = heard[onAir];
  if (way === 'usual' || onAir === 'hold') return said;
  return way === 'backup' ? { sentence: 'fallback', dot: 'waiting' } : { sentence: 'returned', dot: said.dot };
}

export function view(state: State): View {
  const p = phase(state);
  if (p === 'playing' || p === 'fallback') return { phase: p, ...hearing(state), button: 'pause', showBehind: true };
  const quiet = p === 'unsupported' || p === 'idle' || p === 'absent' || p === 'ended';
  const button = state.wanted && p !== 'ended' ? 'pause' : 'play';
  return { phase: p, sentence: p, dot: quiet ? 'none' : 'waiting', button, showBehind: false };
}
