// The arithmetic of playing: how fast, when to jump, when to try again. Pure, so
// that it can be tested without a browser. Times are milliseconds where the name
// says Ms, else seconds, as in media elements.

export interface Sample {
  /** How far behind the live edge the listener hears. */
  readonly latency: number;
  /** How far behind the playlist asks players to stay: its hold-back. */
  readonly target: number;
  /** Sound in hand. */
  readonly buffer: number;
  /** Length of a part; 0 where the playlist has none. */
  readonly part: number;
}

/**
 * How far behind the live edge to stay. A station's hold-back is the same in all its
 * renditions and counts the longest of their parts; where it means three parts, three
 * of the rendition that plays are enough.
 */
export function target(holdBack: number, part: number): number {
  const three = 3 * part;
  return holdBack > three && holdBack < 1.1 * three ? three : holdBack;
}

/** How far behind the live edge a listener stays who would rather be late than miss anything, in seconds. */
export const RELIABLE_S = 6;

/** Below this much sound in hand playing slows down. */
export const LOW_BUFFER = 0.25;
const SLOW = 0.97;
const FASTEST = 1.06;
const GAIN = 0.2;
/** So late, in seconds, the player begins to catch up, and so near the target it stops: in between it leaves well alone. */
const BEGIN = 0.06;
const STOP = 0.015;

/**
 * The playback rate that brings a listener to the target: at most 6 % faster
 * when late, 3 % slower when sound runs out. Speech at 1.06 keeps its pitch and
 * is not noticed. before is the rate until now. hls.js's own controller does
 * nothing below 1 s of buffer.
 */
export function rate({ latency, target, buffer, part }: Sample, before = 1): number {
  if (part === 0) return rateWithoutParts(latency - target, buffer);
  if (buffer < Math.min(LOW_BUFFER, part)) return SLOW;
  const late = latency - target;
  if (late <= (before > 1 ? STOP : BEGIN) || buffer <= 0.3) return 1;
  return Math.min(FASTEST, 1 + GAIN * late);
}

// Without parts the edge comes in steps of a segment, so small differences mean
// nothing and there is sound in hand to wait with.
function rateWithoutParts(late: number, buffer: number): number {
  if (late <= 2 || buffer <= 3) return 1;
  return Math.min(FASTEST, 1 + 0.02 * (late - 1));
}

/** So far behind, in seconds, catching up takes too long; who comes back from a store is nearer. */
const FAR = 12;

/**
 * Whether to go to the live edge at once instead of catching up. After silence
 * a jump costs nothing; while sound is heard only a long way is worth one.
 */
export function shouldJump(s: Sample, silentMs: number): boolean {
  const late = s.latency - s.target;
  return silentMs > 300 ? late > (s.part === 0 ? 3 : Math.max(0.4, 2 * s.part)) : late > Math.max(FAR, 2 * s.target);
}

/** So long an outage is taken for a program that starts again: it is bridged where it is. */
export const BRIEF_MS = 3000;

/**
 * The wait before the next attempt, in milliseconds: a share of how long the
 * outage has lasted, so that a short one ends soon and a long one costs
 * little, spread by chance so that listeners do not come back all at once.
 * random is in [0, 1).
 */
export function retryDelayMs(brokenMs: number, random: number): number {
  const wait = Math.min(8000, Math.max(250, brokenMs / 2));
  return wait * (0.7 + 0.6 * random);
}

/** How long an attempt may stay silent before it is given up, in milliseconds. */
export function attemptMs(failures: number): number {
  return Math.min(20_000, 3000 * 1.5 ** failures);
}

export interface Limits {
  /** For media playlists and media: the first byte. A hung pathway is left then. */
  readonly firstByteMs: number;
  /** For the whole answer. */
  readonly loadMs: number;
}

/**
 * Time limits of requests. 800 ms leaves a hung pathway before the sound in
 * hand ends, but a blocked playlist may take a part and a slow line its round
 * trips, so the limit grows with both, and with each attempt that failed. Where there
 * are no parts seconds of sound are in hand, and a store may be slow.
 */
export function limits(part: number, roundTripMs: number, failures: number): Limits {
  const need = Math.max(part === 0 ? 2500 : 800, 1000 * part + 400) + 2 * roundTripMs;
  const firstByteMs = Math.round(Math.min(10_000, need * 1.5 ** failures));
  return { firstByteMs, loadMs: firstByteMs + 4000 };
}
