// What the player needs of one attempt at playing, whoever plays: hls.js or the
// browser itself.
import type { Now } from './marks';

export interface Status {
  /** Seconds behind the live edge; null where the browser does not tell. */
  readonly latency: number | null;
  /** The hold-back that the playlist asks for, in seconds. */
  readonly target: number;
  /** Seconds of sound in hand. */
  readonly buffer: number;
  /** Length of a part in seconds; 0 where there is none. */
  readonly part: number;
  /** It comes by a plain pathway, and there are quick ones, which do not answer. */
  readonly backup: boolean;
  /** It comes by a quick pathway. */
  readonly quick: boolean;
  /** Names the newest media in the playlist: it changes when the edge moves. */
  readonly edge: number | null;
  /** Bits per second of the rendition that is heard; 0 when unknown. */
  readonly bitrate: number;
  /** What the playlist says about the place that is heard. */
  readonly now: Now;
}

/** Why a session gave up: no such playlist, requests failed, or decoding did. */
export type Failure = 'absent' | 'network' | 'media';

export interface Hooks {
  /** The entry playlist was read. */
  found(): void;
  /** The live edge moved. */
  moved(): void;
  /** The programme ended: nothing more will come. */
  ended(): void;
  /** Nothing more is tried until retry or stop. */
  failed(why: Failure): void;
}

export interface Attempt {
  readonly audio: HTMLAudioElement;
  /** The entry playlist. */
  readonly source: string;
  /** The station's name, as in addresses. */
  readonly station: string;
  /** Other addresses of the station, each with a slash at its end. */
  readonly hosts: readonly string[];
  /** It was quick before this attempt, or should be. */
  readonly wasQuick: boolean;
  /** The listener would rather be late than miss anything. */
  readonly reliable: boolean;
  /** How many attempts failed before this one: time limits grow with it. */
  readonly failures: number;
  /** The edge at which the last session fell silent: wait until it has moved. */
  readonly staleEdge: number | null;
  readonly hooks: Hooks;
}

export interface Session {
  status(): Status | null;
  /** Goes to the live edge. */
  jump(): void;
  /** Loads on after a failure, keeping the sound in hand. */
  retry(): void;
  /** Ends the session for good and lets go of the element. */
  stop(): void;
}

/** Seconds of sound in hand at the place that is heard. */
export function bufferAhead(audio: HTMLMediaElement): number {
  const { buffered, currentTime } = audio;
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) {
      return buffered.end(i) - currentTime;
    }
  }
  return 0;
}
