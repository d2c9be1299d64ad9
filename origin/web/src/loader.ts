// Loads what hls.js asks for, by whichever pathway can give it: see ways.ts. An answer
// counts only when it is what was asked for (inspect.ts).
import Hls, {
  type HlsConfig,
  type Loader,
  type LoaderCallbacks,
  type LoaderConfiguration,
  type LoaderContext,
  type LoaderResponse,
  type LoaderStats,
} from 'hls.js';
import { edgeOf, isOld, isOurs, isPlaylist, position } from './inspect';
import { split, type Entry, type Route, type Ways } from './ways';

export interface Station {
  /** Its name, as in addresses. */
  readonly name: string;
  readonly ways: Ways;
  /** The multivariant playlist was read. */
  readonly entered: (entry: Entry) => void;
}

/** An answer that is used when there is no better one. */
interface Spare {
  readonly plain: boolean;
  readonly deliver: () => void;
}

/** One try at one pathway. */
interface Run {
  readonly route: Route;
  readonly loader: Loader<LoaderContext>;
  over: boolean;
}

interface Failed {
  readonly code: number;
  readonly text: string;
  readonly timeout: boolean;
  readonly details: Parameters<LoaderCallbacks<LoaderContext>['onError']>[2];
}

/** Misdirected Request (RFC 9110 section 15.5.20): hls.js does not try a 4xx again. */
const MISDIRECTED = 421;

const now = (): number => performance.now();

/** The loader that hls.js makes for each request. */
export function loaderFor(station: Station): new (config: HlsConfig) => Loader<LoaderContext> {
  return class extends WayLoader {
    constructor(config: HlsConfig) {
      super(config, station);
    }
  };
}

class WayLoader implements Loader<LoaderContext> {
  context: LoaderContext | null = null;
  stats: LoaderStats;
  private settings: LoaderConfiguration | null = null;
  private callbacks: LoaderCallbacks<LoaderContext> | null = null;
  private routes: Route[] = [];
  private many = false;
  private readonly runs: Run[] = [];
  private readonly timers: ReturnType<typeof setTimeout>[] = [];
  private winner: Loader<LoaderContext> | null = null;
  private spare: Spare | null = null;
  private reserved = false; // the other kind of pathways is being asked too

  constructor(
    private readonly config: HlsConfig,
    private readonly station: Station,
  ) {
    this.stats = this.make().stats; // hls.js holds on to this object
  }

  private make(): Loader<LoaderContext> {
    return new Hls.DefaultConfig.loader(this.config);
  }

  load(context: LoaderContext, settings: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
    this.context = context;
    this.settings = settings;
    this.callbacks = callbacks;
    this.stats.loading.start = now();
    const { ways } = this.station;
    this.routes = ways.routes(context.url, now());
    this.many = ways.many(context.url);
    this.next();
    if (this.many && !this.reserved) this.timers.push(setTimeout(() => this.hung(), ways.despairMs(now())));
  }

  // Where nothing at all comes the other kind is asked, failed or not. What comes slowly comes.
  private hung(): void {
    if (!this.runs.some((r) => !r.over && r.loader.stats.loading.first > 0)) this.reserve(false);
  }

  /** Goes on to the other kind of pathways; false when there is none, or not yet. */
  private reserve(absent: boolean): boolean {
    const { context, station } = this;
    if (this.reserved || this.winner || !context) return false;
    station.ways.lost(context.url, now());
    this.routes.push(...station.ways.reserve(context.url, now(), absent));
    this.reserved = this.routes.length > 0;
    return this.next();
  }

  /** Tries the next pathway; false when there is none. */
  private next(): boolean {
    const { context, settings } = this;
    const route = this.routes.shift();
    if (!route || !context || !settings) return false;
    const run: Run = { route, loader: this.make(), over: false };
    this.runs.push(run);
    // Where there is another pathway it is tried instead of this one again.
    const loadPolicy = this.many ? { ...settings.loadPolicy, errorRetry: null, timeoutRetry: null } : settings.loadPolicy;
    run.loader.load({ ...context, url: route.url }, { ...settings, loadPolicy }, {
      onSuccess: (response, stats, _, details) => this.answered(run, response, stats, details),
      onError: ({ code, text }, _, details) => this.failed(run, { code, text, timeout: false, details }),
      onTimeout: (_, __, details) => this.failed(run, { code: 0, text: 'timeout', timeout: true, details }),
    });
    if (this.routes.length > 0) this.hedge(run);
    return true;
  }

  /** Asks another pathway as well when the first byte does not come in time. */
  private hedge(run: Run): void {
    const held = this.context?.url.includes('_HLS_msn=') ?? false;
    const timer = setTimeout(() => {
      if (!run.over && !this.winner && run.loader.stats.loading.first === 0) this.next();
    }, this.station.ways.patienceMs(held));
    this.timers.push(timer);
  }

  private answered(run: Run, response: LoaderResponse, stats: LoaderStats, details: Failed['details']): void {
    if (run.over || this.winner) return;
    const wrong = this.inspect(run, response);
    const deliver = (): void => this.deliver(run, response, stats, details);
    if (wrong === 'old' || wrong === 'plain') this.spare ??= { plain: wrong === 'plain', deliver };
    if (wrong) return this.failed(run, { code: MISDIRECTED, text: wrong, timeout: false, details });
    this.judge(run);
    deliver();
  }

  private deliver(run: Run, response: LoaderResponse, stats: LoaderStats, details: Failed['details']): void {
    const { context, callbacks } = this;
    if (!context || !callbacks) return;
    this.winner = run.loader;
    this.clear(run.loader);
    this.note(run.route.way, response.data);
    Object.assign(this.stats, stats, { loading: { ...stats.loading, start: this.stats.loading.start } });
    callbacks.onSuccess(this.many ? { ...response, url: context.url } : response, this.stats, context, details);
  }

  private note(way: string | null, data: unknown): void {
    const { ways } = this.station;
    if (data instanceof ArrayBuffer) return ways.gave(way, now());
    if (typeof data !== 'string' || this.context?.type === 'manifest') return;
    const edge = edgeOf(data);
    if (!edge.ended) ways.listed(way, edge.blocks, now(), this.stats.loading.start);
  }

  /** What the others did shows how they are: they failed where this one did not. */
  private judge(winner: Run): void {
    const { ways } = this.station;
    const rivals = this.runs.filter((r) => r !== winner);
    for (const r of rivals) {
      if (r.over || this.runs.indexOf(r) < this.runs.indexOf(winner)) ways.failed(r.route.way, now());
    }
    ways.hedged(rivals.some((r) => !r.over && this.runs.indexOf(r) > this.runs.indexOf(winner)));
  }

  private failed(run: Run, why: Failed): void {
    if (run.over || this.winner) return;
    run.over = true;
    if (this.next() || this.runs.some((r) => !r.over)) return;
    if (this.reserve(why.code === 404 || why.code === 410)) return;
    const { context, callbacks, spare } = this;
    if (spare && (!spare.plain || this.station.ways.graceOver(now()))) return spare.deliver();
    this.clear();
    if (!context || !callbacks) return;
    this.stats.loading.end = now();
    if (why.timeout) callbacks.onTimeout(this.stats, context, why.details);
    else callbacks.onError({ code: why.code, text: why.text }, context, why.details, this.stats);
  }

  /** What is wrong with an answer; empty: nothing. */
  private inspect(run: Run, response: LoaderResponse): string {
    const { name, ways } = this.station;
    const { data } = response;
    if (data instanceof ArrayBuffer) return isOurs(data, name) ? '' : 'not this station';
    if (typeof data !== 'string') return '';
    if (!isPlaylist(data)) return 'not a playlist';
    if (this.context?.type === 'manifest') {
      const entry = split(data, response.url || run.route.url);
      this.station.entered(entry);
      response.data = entry.text;
      return '';
    }
    const edge = edgeOf(data);
    if (!edge.ended && !edge.blocks && ways.wantsQuick(run.route.way)) return 'plain';
    const late = isOld(run.route.url, edge);
    const stands = !edge.ended && ways.stands(run.route.way, run.route.url, position(edge), now());
    return this.many && (late || stands) ? 'old' : '';
  }

  private clear(except?: Loader<LoaderContext>): void {
    for (const t of this.timers) clearTimeout(t);
    for (const r of this.runs) {
      if (r.loader !== except) r.loader.destroy();
    }
  }

  abort(): void {
    const { context, callbacks, winner } = this;
    this.clear(winner ?? undefined);
    this.routes = [];
    this.callbacks = null;
    if (winner || !context) return;
    this.stats.aborted = true;
    callbacks?.onAbort?.(this.stats, context, null);
  }

  destroy(): void {
    this.callbacks = null;
    this.routes = [];
    this.clear();
    this.context = null;
    this.settings = null;
  }

  getCacheAge(): number | null {
    return this.winner?.getCacheAge?.() ?? null;
  }

  getResponseHeader(name: string): string | null {
    return this.winner?.getResponseHeader?.(name) ?? null;
  }
}
