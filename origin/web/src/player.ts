// Keeps sound coming once the listener asked for it, whatever happens to the
// line: it starts sessions, watches whether sound advances, holds the distance
// to the live edge, and starts again by itself after any outage.
import { attemptMs, BRIEF_MS, LOW_BUFFER, rate, retryDelayMs, shouldJump } from './controller';
import type { Attempt, Failure, Session, Status } from './session';
import { initial, phase, reduce, type Event, type State } from './states';

/** How often the player looks, in milliseconds. */
export const TICK_MS = 200;
/** Silence is said to the listener after this long, or after this at the start. */
const SILENCE_MS = 500;
const OVERDUE_MS = 6000;
/** Time that a session may be silent, without having failed, before it counts as broken. */
const STALL_MS = 2500;

/** Sound in hand, in seconds, that is worth keeping. */
const IN_HAND_S = 0.5;
/** So long it is said that the usual way is back. */
const RETURNED_MS = 15_000;

/** What plays. */
export interface Engine {
  /**
   * Entry playlists of each host, the best host and playlist first: the next playlist is
   * taken where one is missing, the next host where one does not answer.
   */
  readonly hosts: readonly (readonly string[])[];
  /** Starts a session. */
  readonly begin: (attempt: Attempt) => Session;
}

export interface Options {
  readonly audio: HTMLAudioElement;
  /** The station's name, as in addresses. */
  readonly station: string;
  /** Called at each look and at each change. */
  readonly changed: (state: State, status: Status | null) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

export class Player {
  private state: State = initial;
  private engine: Engine | null = null;
  private session: Session | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private host = 0;
  private source = 0; // of the host
  private reliable = false;

  // The attempt that runs.
  private begunAt = 0;
  private failures = 0;
  private failedHosts = 0; // in a row, in this outage
  private retryAt: number | null = null; // set once it has failed
  private mendable = true; // the session may load on: it only could not load
  private mended = false; // it was told to, and may be late now
  private brokenAt: number | null = null; // of the outage, over its attempts
  private lastEdge: number | null = null;
  private wasQuick = false; // since the press
  private backup = false; // at the last look
  private returnedAt = -Infinity;

  // What is heard.
  private soundAt = 0;
  private jumpedAt = -Infinity;
  private steppedBackAt = -Infinity;
  private place = { time: 0, at: 0 };

  private readonly now: () => number;
  private readonly random: () => number;

  constructor(private readonly options: Options) {
    this.now = options.now ?? (() => performance.now());
    this.random = options.random ?? Math.random;
    options.audio.addEventListener('pause', () => this.pausedByOthers());
  }

  /** The engine has come: what the listener asked for meanwhile begins now. Null: there is none. */
  equip(engine: Engine | null): void {
    this.engine = engine;
    this.dispatch({ type: 'engine', engine: engine ? 'ready' : 'none' });
    if (!this.state.wanted) return;
    if (engine) this.begin();
    else this.pause();
  }

  /**
   * The listener asks for sound. Call it in the event of their click: browsers let
   * an element sound later only if it was told to play then, even with nothing in it.
   */
  play(): void {
    if (this.state.wanted || this.state.engine === 'none') return;
    this.dispatch({ type: 'play' });
    this.failures = 0;
    this.brokenAt = null;
    this.lastEdge = null;
    this.wasQuick = false;
    this.backup = false;
    this.returnedAt = -Infinity;
    this.soundAt = this.now();
    this.begin();
    this.timer = setInterval(() => this.look(), TICK_MS);
  }

  /** Stops sound and every request. The next play begins at the live edge. */
  pause(): void {
    clearInterval(this.timer);
    this.dispatch({ type: 'pause' });
    this.end();
    this.options.audio.pause();
    this.changed(null);
  }

  toggle(): void {
    if (!this.state.wanted) this.play();
    else if (phase(this.state) === 'ended') this.hurry();
    else this.pause();
  }

  dispatch(event: Event): void {
    this.state = reduce(this.state, event);
    this.changed(this.session?.status() ?? null);
  }

  /** The line may be back, or the page is seen again: do not wait any longer. */
  hurry(): void {
    if (this.retryAt !== null) this.retryAt = Math.min(this.retryAt, this.now() + 300 * this.random());
  }

  private changed(status: Status | null): void {
    this.options.changed(this.state, status);
  }

  private begin(): void {
    this.end();
    const { audio } = this.options;
    if (this.engine) this.session = this.attempt(this.engine);
    audio.play().catch((e: unknown) => {
      if (e instanceof DOMException && e.name === 'NotAllowedError') this.pause();
    });
  }

  private attempt({ begin, hosts }: Engine): Session {
    const { audio, station } = this.options;
    const sources = hosts[this.host % hosts.length] ?? [];
    const source = sources[this.source % sources.length] ?? '';
    this.retryAt = null;
    this.mendable = true;
    this.mended = false;
    this.begunAt = this.now();
    const mine = (deed: () => void) => () => {
      if (this.session === null || this.session === session) deed();
    };
    const session: Session = begin({
      audio,
      source,
      station,
      hosts: hosts.flatMap(([entry = '']) => (/^https?:/.test(entry) ? [entry.slice(0, entry.lastIndexOf('/') + 1)] : [])),
      wasQuick: this.wasQuick || this.host % hosts.length > 0,
      reliable: this.reliable,
      failures: this.failures,
      staleEdge: this.lastEdge,
      hooks: {
        found: mine(() => this.dispatch({ type: 'station', station: 'present' })),
        moved: mine(() => this.moved()),
        ended: mine(() => this.ended()),
        failed: (why) => mine(() => this.failed(why))(),
      },
    });
    return session;
  }

  private end(): void {
    const session = this.session;
    this.session = null;
    this.options.audio.playbackRate = 1;
    session?.stop();
  }

  // A headset's button, another app or the system paused the element. Letting go
  // of a session empties the element: that is not a wish of the listener.
  private pausedByOthers(): void {
    const { audio } = this.options;
    if (this.state.wanted && this.session && audio.readyState > 0 && !audio.ended) this.pause();
  }

  private moved(): void {
    if (this.retryAt !== null) this.retryAt = null;
  }

  private ended(): void {
    if (this.state.station !== 'ended') this.dispatch({ type: 'station', station: 'ended' });
    this.plan();
    // What is in hand is played to its end, but what ended before is not begun.
    if (!this.state.heard) queueMicrotask(() => this.end());
  }

  private failed(why: Failure): void {
    if (this.retryAt !== null) return; // known already
    this.mendable = why !== 'media';
    if (why === 'absent' && this.state.station !== 'present') this.source++;
    if (why === 'absent') this.dispatch({ type: 'station', station: 'absent' });
    if (why === 'network' && !this.bridges()) this.nextHost();
    this.plan();
  }

  /** A sound that was heard is missing since a moment ago: its host may only start again. */
  private brief(): boolean {
    return this.state.heard && this.now() - (this.brokenAt ?? this.now()) < BRIEF_MS;
  }

  /** What was heard goes on where it is: for a moment, and as long as there is sound in hand. */
  private bridges(): boolean {
    return this.brief() || (this.state.heard && (this.session?.status()?.buffer ?? 0) > IN_HAND_S);
  }

  // Another host may answer: once round at once, then as every attempt waits. A browser that
  // is offline has no better one.
  private nextHost(): void {
    const count = this.engine?.hosts.length ?? 1;
    if (count < 2 || !this.state.online) return;
    this.host = (this.host + 1) % count;
    if (++this.failedHosts < count) this.retryAt = this.now();
  }

  /** Whether the listener would rather be late than miss anything. */
  choose(reliable: boolean): void {
    if (reliable === this.reliable) return;
    this.reliable = reliable;
    if (this.state.wanted && this.engine) this.begin();
  }

  private plan(): void {
    const now = this.now();
    this.brokenAt ??= now;
    const lasted = this.mendable && this.brief() ? 0 : now - this.brokenAt;
    this.retryAt ??= now + retryDelayMs(lasted, this.random());
  }

  /** Looks at what is heard and does what is due. */
  private look(): void {
    const now = this.now();
    const status = this.session?.status() ?? null;
    const sounding = this.advanced(now);
    const silentMs = now - this.soundAt;
    if (sounding) this.heard(now, status);
    else if (silentMs > (this.state.heard ? SILENCE_MS : OVERDUE_MS)) this.dispatch({ type: 'silence' });
    this.recover(now, silentMs, status);
    if (status && status.latency !== null) this.follow(now, silentMs, { ...status, latency: status.latency });
    this.changed(status);
  }

  private advanced(now: number): boolean {
    const { currentTime, seeking, paused } = this.options.audio;
    const moved = currentTime - this.place.time;
    const passed = (now - this.place.at) / 1000;
    this.place = { time: currentTime, at: now };
    const sounding = !seeking && !paused && moved > 0 && moved < 1.2 * passed + 0.1;
    if (sounding) this.soundAt = now;
    return sounding;
  }

  private heard(now: number, status: Status | null): void {
    if (this.retryAt === null) {
      this.brokenAt = null;
      this.failures = 0;
      this.failedHosts = 0;
    }
    if (!this.state.sounding) this.dispatch({ type: 'sound' });
    if (!status) return;
    this.lastEdge = status.edge;
    this.watchWay(status, now);
    const { onAir } = status.now;
    if (onAir !== this.state.onAir) this.dispatch({ type: 'onair', onAir });
  }

  // A backup way is said as long as it lasts, and the return for a while.
  private watchWay({ backup, quick }: Status, now: number): void {
    this.wasQuick ||= quick;
    if (this.backup && !backup) this.returnedAt = now;
    this.backup = backup;
    const way = backup ? 'backup' : now - this.returnedAt < RETURNED_MS ? 'returned' : 'usual';
    if (way !== this.state.way) this.dispatch({ type: 'way', way });
  }

  private recover(now: number, silentMs: number, status: Status | null): void {
    if (!this.engine) return;
    if (this.retryAt !== null) {
      if (now < this.retryAt) return;
      if (status && this.mendable && this.bridges()) {
        this.retryAt = null;
        this.mended = true;
        this.session?.retry();
        return;
      }
      this.failures++;
      this.begin();
    } else if (silentMs > STALL_MS && now - this.begunAt > attemptMs(this.failures)) {
      this.mendable = false; // it did not say that it failed
      this.nextHost();
      this.plan();
    }
  }

  private follow(now: number, silentMs: number, status: Status & { latency: number }): void {
    const { audio } = this.options;
    // Where an outage was bridged the sound comes back late: then a jump costs nothing either.
    const quietMs = this.mended ? BRIEF_MS : silentMs;
    if (silentMs === 0) this.mended = false;
    if (this.state.heard && now - this.jumpedAt > 2000 && shouldJump(status, quietMs)) {
      this.jumpedAt = now;
      this.session?.jump();
      return;
    }
    // The sound in hand is out and a store has the next only seconds later: a little is heard
    // again, instead of silence, and then it goes on.
    if (status.backup && status.buffer < LOW_BUFFER && status.latency < status.target - 1 && now - this.steppedBackAt > 5000) {
      this.steppedBackAt = now;
      this.session?.jump();
      return;
    }
    const wanted = rate(status, audio.playbackRate);
    if (Math.abs(audio.playbackRate - wanted) > 0.002) audio.playbackRate = wanted;
  }
}
