// The pathways of a station: which of them a request takes, and what becomes of one that
// fails. Pure: time comes in as milliseconds.
//
// hls.js is shown one pathway. Behind it each request goes to the best pathway there is and,
// when that fails, is slow or answers something wrong, to the next one, before hls.js hears
// of it. All pathways have the same names, numbers and times, so it never notices.

/** What a multivariant playlist says of pathways. */
export interface Entry {
  /** The playlist with the variants of one pathway only. */
  readonly text: string;
  /** In the order of the playlist. */
  readonly pathways: readonly Pathway[];
  /** SERVER-URI, absolute; empty where there is none. */
  readonly steering: string;
}

export interface Pathway {
  readonly id: string;
  /** The folder of each variant, by STABLE-VARIANT-ID: an absolute address that ends in a slash. */
  readonly folders: ReadonlyMap<string, string>;
}

/** A way that a request may take; way is null for an address of no pathway. */
export interface Route {
  readonly way: string | null;
  readonly url: string;
}

const attribute = (line: string, name: string): string => new RegExp(`[:,]${name}="([^"]*)"`).exec(line)?.[1] ?? '';

const folder = (url: string): string => url.slice(0, url.split('?')[0]!.lastIndexOf('/') + 1);

/** Reads the pathways out of a multivariant playlist, and leaves the first one in it. */
export function split(text: string, url: string): Entry {
  const lines = text.split(/\r?\n/);
  const kept: string[] = [];
  const pathways = new Map<string, Map<string, string>>();
  let steering = '';
  let first = '';
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (line.startsWith('#EXT-X-CONTENT-STEERING:')) {
      const uri = attribute(line, 'SERVER-URI');
      steering = uri && new URL(uri, url).href;
      first = attribute(line, 'PATHWAY-ID');
      continue;
    }
    const id = attribute(line, 'PATHWAY-ID');
    if (!line.startsWith('#EXT-X-STREAM-INF:') || !id) {
      kept.push(line);
      continue;
    }
    const uri = lines[++i] ?? '';
    first ||= id;
    if (!pathways.has(id)) pathways.set(id, new Map());
    pathways.get(id)?.set(attribute(line, 'STABLE-VARIANT-ID') || uri, folder(new URL(uri, url).href));
    if (id === first) kept.push(line, uri);
  }
  return { text: kept.join('\n'), pathways: [...pathways].map(([id, folders]) => ({ id, folders })), steering };
}

/** How long a pathway that failed is left alone, in milliseconds: longer each time. */
const LEAST_PENALTY_MS = 10_000;
const MOST_PENALTY_MS = 30_000;
/** After so long without a failure the next one is a first one again. */
const FORGIVEN_MS = 60_000;
/** A live playlist that stands for so long is dead: one and a half target durations. */
export const STALE_MS = 3000;

interface Way extends Pathway {
  badUntil: number;
  penalty: number;
  failedAt: number;
}

export class Ways {
  /** Length of a part in seconds, 0 where there is none, and the round trip in milliseconds. */
  part = 0;
  roundTripMs = 0;
  private ways: Way[] = [];
  private priority: readonly string[] = [];
  private slack = 1;
  private readonly edges = new Map<string, { position: number; at: number }>();

  set({ pathways }: Entry): void {
    this.ways = pathways.map((p) => ({ ...p, badUntil: 0, penalty: 0, failedAt: -Infinity }));
    this.priority = [];
    this.edges.clear();
  }

  /** What the steering manifest says: the pathways to take, the best one first. */
  steer(priority: readonly string[]): void {
    if (this.ways.some((w) => priority.includes(w.id))) this.priority = priority;
  }

  /** Where a request can go, the best place first. */
  routes(url: string, now: number): Route[] {
    const home = this.ways.find((w) => [...w.folders.values()].some((f) => url.startsWith(f)));
    const variant = [...(home?.folders ?? [])].find(([, f]) => url.startsWith(f));
    if (!variant) return [{ way: null, url }];
    const [name, at] = variant;
    return this.ordered(now).flatMap(({ id, folders }) => {
      const to = folders.get(name);
      return to === undefined ? [] : [{ way: id, url: to + url.slice(at.length) }];
    });
  }

  // Good ones as the steering says, then those that it leaves out or that failed just now.
  private ordered(now: number): readonly Way[] {
    const rank = ({ id, badUntil }: Way): number => {
      const listed = this.priority.indexOf(id);
      const place = listed >= 0 || this.priority.length === 0 ? listed : 1000;
      return badUntil > now ? 2000 + badUntil - now : place;
    };
    return [...this.ways].sort((a, b) => rank(a) - rank(b));
  }

  /** The pathway failed where another did not. */
  failed(id: string | null, now: number): void {
    const way = this.ways.find((w) => w.id === id);
    if (!way || way.badUntil > now) return;
    const again = now - way.failedAt < FORGIVEN_MS;
    way.penalty = again ? Math.min(MOST_PENALTY_MS, 2 * way.penalty) : LEAST_PENALTY_MS;
    way.badUntil = now + way.penalty;
    way.failedAt = now;
  }

  /**
   * How long the first byte may take before another pathway is asked as well, in
   * milliseconds. A playlist is held until its part exists.
   */
  patienceMs(held: boolean): number {
    return this.slack * ((held ? 1000 * this.part + 150 : 300) + 2 * this.roundTripMs);
  }

  /** Asking another pathway was too early (the first one answered), or was not needed. */
  hedged(needless: boolean): void {
    this.slack = needless ? Math.min(8, 1.5 * this.slack) : Math.max(1, 0.95 * this.slack);
  }

  /** Notes the edge of a playlist that came by a pathway, and says whether it has stood too long. */
  stands(way: string | null, url: string, position: number, now: number): boolean {
    const key = `${way ?? ''} ${folder(url)}`;
    const before = this.edges.get(key);
    if (before?.position === position) return now - before.at > STALE_MS;
    this.edges.set(key, { position, at: now });
    return false;
  }

  /** Addresses of a file beside the multivariant playlist, on every pathway. */
  beside(file: string, now: number): string[] {
    return this.ordered(now).flatMap(({ folders }) => {
      const [any] = folders.values();
      return any === undefined ? [] : [new URL(`../${file}`, any).href];
    });
  }
}
