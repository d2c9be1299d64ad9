// The studio's clock: what the time means for the broadcast. Pure.
import type { Snapshot } from './api';

/** What the clock says: a sentence's key, and the time that goes with it in ms. */
export interface Reading {
  kind: 'auto' | 'scheduled' | 'doors' | 'late' | 'live' | 'live_late' | 'ended';
  ms: number; // to the start, by which it is late, or on air
  late: number; // ms by which the broadcast began late, once it is live
}

/** Reads the clock at a time of the server's, in ms. */
export function readClock(s: Snapshot, now: number): Reading {
  const b = s.broadcast;
  const at = (time: string | null | undefined): number | null => (time ? Date.parse(time) : null);
  const start = at(b?.start);
  switch (s.phase) {
    case 'live': {
      const since = at(b?.live_at) ?? now;
      const late = Math.round((b?.late_seconds ?? 0) * 1000);
      return { kind: late >= 60_000 ? 'live_late' : 'live', ms: Math.max(0, now - since), late };
    }
    case 'doors':
      if (start !== null && now >= start + 1000) return { kind: 'late', ms: now - start, late: 0 };
      return { kind: 'doors', ms: start === null ? 0 : Math.max(0, start - now), late: 0 };
    case 'scheduled':
      return { kind: 'scheduled', ms: start === null ? 0 : Math.max(0, start - now), late: 0 };
    case 'ended':
      return { kind: 'ended', ms: Math.max(0, now - (at(b?.ended_at) ?? now)), late: 0 };
    case 'auto':
      return { kind: 'auto', ms: 0, late: 0 };
  }
}

/** 04:05, 1:04:05: minutes and seconds, hours where there are any. Counts down by the second begun. */
export function duration(ms: number, down = false): string {
  const all = down ? Math.ceil(ms / 1000) : Math.floor(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/**
 * The server's clock beside ours. An answer always arrives late, never early, so of
 * several the one that makes the server's clock latest is the truest; it fades slowly
 * because clocks drift.
 */
export class ServerClock {
  private offset: number | null = null;
  private heard = 0;

  hear(serverTime: string, local: number): void {
    const found = Date.parse(serverTime) - local;
    if (!Number.isFinite(found)) return;
    const held = this.offset === null ? -Infinity : this.offset - (local - this.heard) * 1e-4;
    // Further off than any line is late: one of the clocks was set.
    this.offset = Math.abs(found - held) > 5000 ? found : Math.max(found, held);
    this.heard = local;
  }

  now(local: number): number {
    return local + (this.offset ?? 0);
  }
}
