// A line to the server that is kept: events, own voice, return. Each is tried, is up,
// is lost, waits and is tried again, until somebody says stop or the server's answer
// says that trying again is of no use.

/** Why a session ended. again: whether to try once more by ourselves. */
export interface End {
  again: boolean;
  reason: string;
  after?: number; // seconds that the server asks to wait
}

export type LinePhase = 'off' | 'trying' | 'up' | 'waiting' | 'ended';

export interface LineState {
  phase: LinePhase;
  tries: number; // without success, since it was last up for long enough
  reason: string; // of the last end
  was: boolean; // whether it was ever up since it was started
}

export const off: LineState = { phase: 'off', tries: 0, reason: '', was: false };

const steps = [300, 1000, 2000, 4000, 8000, 15_000];

/** How long to wait before the next try, in ms; chance is in [0, 1) and spreads clients by a fifth. */
export function pause(tries: number, chance: number, after = 0): number {
  const step = steps[Math.min(Math.max(tries, 1), steps.length) - 1]!;
  return Math.max(step * (0.8 + 0.4 * chance), after * 1000);
}

/** One session: call up() once it works, return or throw when it ended. */
export type Session = (up: () => void, signal: AbortSignal) => Promise<End>;

/** After so long up, in ms, the next loss counts as the first. */
const steady = 10_000;

export class Line {
  state: LineState = off;
  private run = 0; // counts starts, so that an old session says nothing any more
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly session: Session,
    private readonly changed: () => void,
    private readonly chance: () => number = Math.random,
  ) {}

  start(): void {
    if (this.active()) return;
    this.state = off;
    this.attempt();
  }

  stop(): void {
    this.run++;
    clearTimeout(this.timer);
    this.abort.abort();
    this.set(off);
  }

  /** Ends for good, with a reason to show. */
  end(reason: string): void {
    this.stop();
    this.set({ ...off, phase: 'ended', reason });
  }

  /** The network is back, or somebody looks again: do not wait any longer. */
  hurry(): void {
    if (this.state.phase !== 'waiting') return;
    clearTimeout(this.timer);
    this.attempt();
  }

  /** Gives up the session and begins anew at once: another device, another network. */
  renew(): void {
    if (!this.active()) return;
    const { was } = this.state;
    this.stop();
    this.state = { ...off, was };
    this.attempt();
  }

  active(): boolean {
    return this.state.phase === 'trying' || this.state.phase === 'up' || this.state.phase === 'waiting';
  }

  private attempt(): void {
    const run = ++this.run;
    this.abort.abort();
    this.abort = new AbortController();
    let upSince: number | null = null;
    const up = (): void => {
      if (run !== this.run) return;
      upSince = Date.now();
      this.set({ ...this.state, phase: 'up', was: true });
    };
    this.set({ ...this.state, phase: 'trying' });
    this.session(up, this.abort.signal)
      .catch((error: unknown): End => ({ again: true, reason: String(error) }))
      .then((end) => {
        if (run === this.run) this.lost(end, upSince);
      });
  }

  private lost(end: End, upSince: number | null): void {
    this.abort.abort();
    if (!end.again) return this.set({ ...this.state, phase: 'ended', reason: end.reason });
    const fresh = upSince !== null && Date.now() - upSince >= steady;
    const tries = fresh ? 1 : this.state.tries + 1;
    this.set({ ...this.state, phase: 'waiting', tries, reason: end.reason });
    this.timer = setTimeout(() => this.attempt(), pause(tries, this.chance(), end.after));
  }

  private set(state: LineState): void {
    this.state = state;
    this.changed();
  }
}
