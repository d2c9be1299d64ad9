// Playing by hls.js. It is a file of its own, loaded beside the page's script.
import Hls, {
  ErrorTypes,
  Events,
  type ErrorData,
  type FragLoadedData,
  type HlsConfig,
  type LevelDetails,
  type LevelUpdatedData,
  type LoadPolicy,
} from 'hls.js';
import { limits, RELIABLE_S, target } from './controller';
import { loaderFor } from './loader';
import { nothing, nowAt, type Now } from './marks';
import { read } from './read';
import { Return } from './return';
import { bufferAhead, type Attempt, type Failure, type Session, type Status } from './session';
import { Steering } from './steering';
import { OPENING_MS, Ways } from './ways';

export const isSupported = (): boolean => Hls.isSupported();

// One retry after 100 ms bridges a hiccup; without it hls.js would shut a whole
// pathway out for 300 s. A time-out is not tried again on the same pathway.
function policy(firstByteMs: number, loadMs: number): LoadPolicy {
  return {
    default: {
      maxTimeToFirstByteMs: firstByteMs,
      maxLoadTimeMs: loadMs,
      timeoutRetry: { maxNumRetry: 0, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: { maxNumRetry: 1, retryDelayMs: 100, maxRetryDelayMs: 100 },
    },
  };
}

class HlsSession implements Session {
  private readonly hls: Hls;
  private readonly ways = new Ways();
  private steering: Steering | null = null;
  private readonly back: Return;
  private attached = false;
  private edge = 0;
  private movedAt = performance.now(); // the edge

  constructor(private readonly attempt: Attempt) {
    const open = OPENING_MS * 1.5 ** attempt.failures;
    const opening = policy(Math.min(10_000, open), Math.min(15_000, open + 4000));
    const loader = loaderFor({
      name: attempt.station,
      ways: this.ways,
      entered: (entry) => {
        this.ways.set(entry, attempt.hosts);
        this.steering?.stop();
        this.steering = new Steering(this.ways, entry.steering);
      },
    });
    this.back = new Return({ ways: this.ways, name: attempt.station, read, random: Math.random, now: () => performance.now() });
    this.hls = new Hls({
      pLoader: loader as unknown as NonNullable<HlsConfig['pLoader']>,
      fLoader: loader as unknown as NonNullable<HlsConfig['fLoader']>,
      enableWorker: false,
      lowLatencyMode: !attempt.reliable,
      ...(attempt.reliable ? { liveSyncDuration: RELIABLE_S } : {}),
      backBufferLength: 30,
      liveSyncOnStallIncrease: 0,
      maxLiveSyncPlaybackRate: 1, // the page's own controller sets the rate
      // The page reads the marks from the playlist: text tracks would need data: addresses.
      enableDateRangeMetadataCues: false,
      enableEmsgMetadataCues: false,
      enableID3MetadataCues: false,
      startLevel: 0,
      abrEwmaDefaultEstimate: 64_000,
      manifestLoadPolicy: opening,
      playlistLoadPolicy: opening,
      fragLoadPolicy: opening,
    });
    this.listen();
    this.hls.loadSource(attempt.source);
    if (attempt.staleEdge === null) this.attach();
  }

  private listen(): void {
    const { hls, attempt } = this;
    hls.on(Events.MANIFEST_PARSED, () => attempt.hooks.found());
    hls.on(Events.LEVEL_UPDATED, (_, data) => this.updated(data));
    hls.on(Events.FRAG_LOADED, (_, data) => this.tighten(data));
    hls.on(Events.ERROR, (_, data) => this.error(data));
  }

  private attach(): void {
    if (this.attached) return;
    this.attached = true;
    this.hls.attachMedia(this.attempt.audio);
  }

  private updated({ details }: LevelUpdatedData): void {
    const { hooks, staleEdge } = this.attempt;
    if (!details.live) return hooks.ended();
    if (staleEdge !== null && edgeOf(details) === staleEdge) return;
    this.attach();
    if (this.ways.fallen) this.back.start(details.url);
    else this.back.stop();
    if (details.edge !== this.edge) this.movedAt = performance.now();
    this.edge = details.edge;
    if (details.advanced) hooks.moved();
  }

  // Once media comes, the line is open and its round trip is known.
  private tighten({ frag, part }: FragLoadedData): void {
    const { start, first } = (part ?? frag).stats.loading;
    const { ways } = this;
    if (first > start) {
      const rtt = first - start;
      ways.roundTripMs = ways.roundTripMs === 0 ? rtt : 0.8 * ways.roundTripMs + 0.2 * rtt;
    }
    ways.part = this.hls.latestLevelDetails?.partTarget ?? 0;
    const { firstByteMs, loadMs } = limits(ways.part, ways.roundTripMs, this.attempt.failures);
    this.hls.config.playlistLoadPolicy = policy(firstByteMs, loadMs);
    this.hls.config.fragLoadPolicy = policy(firstByteMs, loadMs);
  }

  private error(data: ErrorData): void {
    if (data.fatal) this.attempt.hooks.failed(reason(data));
  }

  status(): Status | null {
    const details = this.hls.latestLevelDetails;
    if (!details) return null;
    const { audio } = this.attempt;
    return {
      latency: this.liveEdge(details) - audio.currentTime,
      target: this.attempt.reliable
        ? RELIABLE_S
        : target(details.partHoldBack || details.holdBack || 3 * details.targetduration, details.partTarget),
      buffer: bufferAhead(audio),
      part: this.attempt.reliable ? 0 : details.partTarget,
      // Who would rather be late is not later than usual.
      backup: !this.attempt.reliable && (this.ways.backup || (this.ways.fallen && this.attempt.wasQuick)),
      quick: this.ways.quickSeen && !this.ways.fallen,
      edge: edgeOf(details),
      bitrate: this.hls.levels[this.hls.currentLevel]?.bitrate ?? 0,
      now: this.now(details),
    };
  }

  // By the time that has passed, not by the clock: that one may be set at any moment.
  private liveEdge(details: LevelDetails): number {
    return details.edge + (performance.now() - this.movedAt) / 1000;
  }

  private now(details: LevelDetails): Now {
    const at = this.hls.playingDate;
    if (!at) return nothing;
    return nowAt(Object.values(details.dateRanges).filter((r) => r !== undefined), at);
  }

  jump(): void {
    const details = this.hls.latestLevelDetails;
    const status = this.status();
    if (!details || !status) return;
    const newest = details.edge - (status.part || details.targetduration);
    this.seek(Math.min(this.liveEdge(details) - status.target, newest), details);
  }

  private seek(to: number, details: LevelDetails): void {
    this.attempt.audio.currentTime = Math.max(to, details.fragmentStart);
  }

  retry(): void {
    this.hls.startLoad(-1);
  }

  stop(): void {
    this.steering?.stop();
    this.back.stop();
    this.hls.destroy();
  }
}

/** The instant of the edge, or its place where the playlist has no dates. */
function edgeOf(details: LevelDetails): number {
  const last = details.fragmentHint ?? details.fragments[details.fragments.length - 1];
  const date = last?.programDateTime;
  return date && last ? date + 1000 * (details.edge - last.start) : details.edge;
}

function reason({ type, response }: ErrorData): Failure {
  if (response?.code === 404 || response?.code === 410) return 'absent';
  return type === ErrorTypes.NETWORK_ERROR ? 'network' : 'media';
}

export const play = (attempt: Attempt): Session => new HlsSession(attempt);
