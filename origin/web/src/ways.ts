// The pathways of a station: which of them a request takes, and what becomes of one that
// fails. Pure: time comes in as milliseconds.
//
// hls.js is shown one pathway. Behind it each request goes to the best pathway there is and,
// when that fails, is slow or answers something wrong, to the next one, before hls.js hears
// of it. All pathways have the same names, numbers and times, so it never notices.
//
// There are two kinds of pathways: quick ones have parts and hold requests until there is
// more; plain ones read a store and are some seconds later. A session is on one kind:
//
//   quick ── none has given anything for GRACE_MS ──> plain
//   plain ── they have been well for a while (return.ts) ──> quick
//
// The media of both is the same, byte for byte: what is in hand stays in hand.

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
    if (!line.startsWith('#EXT-X-STREAM-INF:')) {
      kept.push(line);
      continue;
    }
    const id = attribute(line, 'PATHWAY-ID') || UNNAMED;
    const uri = lines[++i] ?? '';
    first ||= id;
    if (!pathways.has(id)) pathways.set(id, new Map());
    pathways.get(id)?.set(attribute(line, 'STABLE-VARIANT-ID') || uri, folder(new URL(uri, url).href));
    if (id === first) kept.push(line, uri);
  }
  return { text: kept.join('\n'), pathways: [...pathways].map(([id, folders]) => ({ id, folders })), steering };
}

/** The pathway of variants that name none (HLS Content Steering Specification). */
const UNNAMED = '.';

/** Parts are M.N.m4s; stores have none. */
const isPart = (url: string): boolean => /\/\d+\.\d+\.m4s$/.test(url);
const withoutDirectives = (url: string): string => url.split('?')[0]!;
const isPlaylist = (url: string): boolean => /\.m3u8(\?|$)/.test(url);

/** How long a pathway that failed is left alone, in milliseconds: longer each time. */
const LEAST_PENALTY_MS = 10_000;
const MOST_PENALTY_MS = 30_000;
/** After so long without a failure the next one is a first one again. */
const FORGIVEN_MS = 60_000;
/** A live playlist that stands for so long is dead: one and a half target durations. */
export const STALE_MS = 3000;
/** One of a store comes in steps of a segment, and may be some seconds old. */
export const STALE_PLAIN_MS = 8000;
/** So long without anything from a quick pathway, and a plain one is taken: a program that starts again is back sooner. */
export const GRACE_MS = 2500;
const HUNG_MS = 1000;
/** Before the first sound a line may have to be opened: three round trips and a handshake. */
export const OPENING_MS = 2500;
/** And so long nobody knows how far away a pathway is. */
const UNKNOWN_MS = 1000;
/** Who falls again so soon after a return waits longer for the next one. */
const RELAPSE_MS = 120_000;
const LEAST_STEPS = 2;
const MOST_STEPS = 16;

interface Way extends Pathway {
  /** Not in the multivariant playlist: of the other kind. */
  readonly spare: boolean;
  badUntil: number;
  penalty: number;
  failedAt: number;
}

export class Ways {
  /** Length of a part in seconds, 0 where there is none, and the round trip in milliseconds. */
  part = 0;
  roundTripMs = 0;
  /** The session is on plain pathways, and there are or were quick ones. */
  fallen = false;
  /** A quick pathway has given a playlist. */
  quickSeen = false;
  /** How often the edge of a quick pathway has to be seen moving before a return. */
  steps = LEAST_STEPS;

  private ways: Way[] = [];
  private priority: readonly string[] = [];
  private slack = 1;
  private readonly edges = new Map<string, { position: number; at: number }>();
  private entryQuick: boolean | null = null; // the pathways of the entry are the quick ones
  private rising = false; // the next playlist is asked for on a quick pathway
  private quickAt = -Infinity; // when a quick pathway gave media
  private risenAt = -Infinity;
  private turnedAt = -Infinity; // to the other kind: to a plain one, or on trial to a quick one

  constructor(private readonly random: () => number = Math.random) {}

  /** It is slower than the entry promises, or than it was. */
  get backup(): boolean {
    return this.fallen && (this.quickSeen || this.entryQuick === true);
  }

  /** Takes the pathways of an entry. hosts are addresses of the station, each with a slash at its end: others than its pathways are of the other kind. */
  set({ pathways }: Entry, hosts: readonly string[] = []): void {
    const known = pathways.flatMap(({ folders }) => [...folders.values()]);
    const names = [...new Set(pathways.flatMap(({ folders }) => [...folders.keys()]))];
    const spares = hosts
      .filter((host) => !known.some((f) => f.startsWith(host)))
      .map((host) => ({ id: host, spare: true, folders: new Map(names.map((name) => [name, `${host}${name}/`])) }));
    const fresh = { badUntil: 0, penalty: 0, failedAt: -Infinity };
    this.ways = [...pathways.map((p) => ({ ...p, spare: false })), ...spares].map((p) => ({ ...p, ...fresh }));
    this.priority = [];
    this.edges.clear();
    this.entryQuick = null;
    this.fallen = this.rising = false;
    this.turnedAt = -Infinity;
  }

  /** What the steering manifest says: the pathways to take, the best one first. */
  steer(priority: readonly string[]): void {
    if (this.ways.some((w) => priority.includes(w.id))) this.priority = priority;
  }

  /** Where a request can go, the best place first. */
  routes(url: string, now: number): Route[] {
    const plain = this.plain();
    if (isPart(url) || !this.fallen || this.rising || plain.length === 0) return this.by(this.quick(), url, now);
    return this.by(plain, url, now);
  }

  /**
   * Where it can go when no route was any good. A plain playlist is not taken at once for a
   * quick one; before there was one it is, unless nothing is on air (absent).
   */
  reserve(url: string, now: number, absent = false): Route[] {
    if (isPart(url) || !this.variant(url)) return [];
    if (this.fallen && !this.rising) return this.plain().length === 0 ? [] : this.by(this.quick(), url, now);
    if (isPlaylist(url) && (!this.graceOver(now) || (absent && !this.quickSeen))) return [];
    return this.by(this.plain(), url, now);
  }

  /** Whether there is any choice. */
  many(url: string): boolean {
    return this.variant(url) !== null && (isPart(url) ? this.quick() : this.ways).length > 1;
  }

  /** How long until a plain answer is as good as any, in milliseconds. */
  graceMs(now: number): number {
    return this.quickSeen ? Math.max(0, this.quickAt + GRACE_MS - now) : 0;
  }

  /** How long a request may bring nothing before the other kind of pathways is asked as well. */
  despairMs(now: number): number {
    return this.quickSeen ? Math.max(HUNG_MS, this.graceMs(now) + 1) : OPENING_MS;
  }

  graceOver(now: number): boolean {
    return this.graceMs(now) === 0;
  }

  private quick(): readonly Way[] {
    return this.ways.filter((w) => w.spare !== (this.entryQuick ?? true));
  }

  private plain(): readonly Way[] {
    return this.ways.filter((w) => w.spare === (this.entryQuick ?? true));
  }

  private variant(url: string): { name: string; rest: string } | null {
    for (const { folders } of this.ways) {
      for (const [name, at] of folders) {
        if (url.startsWith(at)) return { name, rest: url.slice(at.length) };
      }
    }
    return null;
  }

  private by(ways: readonly Way[], url: string, now: number): Route[] {
    const variant = this.variant(url);
    if (!variant) return [{ way: null, url }];
    const plain = this.plain();
    return this.ordered(ways, now).flatMap((way) => {
      const to = way.folders.get(variant.name);
      if (to === undefined) return [];
      // A store knows no delivery directives: they would only make copies in caches.
      const rest = plain.includes(way) ? withoutDirectives(variant.rest) : variant.rest;
      return [{ way: way.id, url: to + rest }];
    });
  }

  // Good ones as the steering says, then those that it leaves out or that failed just now.
  private ordered(ways: readonly Way[], now: number): readonly Way[] {
    const rank = ({ id, badUntil }: Way): number => {
      const listed = this.priority.indexOf(id);
      const place = listed >= 0 || this.priority.length === 0 ? listed : 1000;
      return badUntil > now ? 2000 + badUntil - now : place;
    };
    return [...ways].sort((a, b) => rank(a) - rank(b));
  }

  /** The pathway failed where another did not. */
  failed(id: string | null, now: number): void {
    const way = this.ways.find((w) => w.id === id);
    if (!way || way.badUntil > now) return;
    const again = now - way.failedAt < FORGIVEN_MS;
    way.penalty = again ? Math.min(MOST_PENALTY_MS, 2 * way.penalty) : LEAST_PENALTY_MS;
    // Spread, so that listeners do not come back all at once.
    way.badUntil = now + way.penalty * (1 + 0.5 * this.random());
    way.failedAt = now;
  }

  /** A pathway gave media. */
  gave(id: string | null, now: number): void {
    const way = this.ways.find((w) => w.id === id);
    if (!way || this.quick().includes(way)) this.quickAt = now;
  }

  /** No quick pathway has given a part that the playlist promised. */
  lost(url: string, now: number): void {
    if (isPart(url) && this.graceOver(now) && this.plain().length > 0) this.fall(now);
  }

  /** Whether a plain playlist of this pathway is not what is wanted of it: its CDN may have gone to a store. */
  wantsQuick(id: string | null): boolean {
    return this.quickSeen && (!this.fallen || this.rising) && this.quick().some((w) => w.id === id);
  }

  /** A pathway gave a live playlist, quick or not, that was asked for at an instant. */
  listed(id: string | null, quick: boolean, now: number, askedAt = now): void {
    const way = this.ways.find((w) => w.id === id);
    if (askedAt < this.turnedAt) return; // on the other kind
    if (quick) {
      if (way) this.entryQuick = !way.spare;
      if (this.fallen) this.risenAt = now;
      if (!this.quickSeen) this.quickAt = now;
      this.quickSeen = true;
      this.fallen = this.rising = false;
      return;
    }
    if (way) this.entryQuick ??= way.spare;
    if (this.quickSeen || this.quick().length > 0) this.fall(now);
  }

  private fall(now: number): void {
    if (this.fallen && !this.rising) return;
    const relapse = this.rising || now - this.risenAt < RELAPSE_MS;
    this.steps = relapse ? Math.min(MOST_STEPS, 2 * this.steps) : LEAST_STEPS;
    this.fallen = true;
    this.rising = false;
    this.turnedAt = now;
  }

  /** The quick pathways on which a playlist is to be looked at while the session is on plain ones. */
  lookouts(url: string, now: number): Route[] {
    return this.fallen && !this.rising && this.plain().length > 0 ? this.by(this.quick(), withoutDirectives(url), now) : [];
  }

  /** A quick pathway is well again: the next playlist comes from there, if it can. */
  rise(id: string | null, now: number): void {
    if (!this.fallen) return;
    this.rising = true;
    this.turnedAt = now;
    for (const way of this.ways) {
      if (way.id === id) way.badUntil = 0;
    }
  }

  /**
   * How long the first byte may take before another pathway is asked as well, in
   * milliseconds. A playlist is held until its part exists.
   */
  patienceMs(held: boolean): number {
    if (this.roundTripMs === 0) return UNKNOWN_MS;
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
    const most = this.plain().some((w) => w.id === way) ? STALE_PLAIN_MS : STALE_MS;
    if (before?.position === position) return now - before.at > most;
    this.edges.set(key, { position, at: now });
    return false;
  }

  /** Addresses of a file beside the multivariant playlist, on every pathway of it. */
  beside(file: string, now: number): string[] {
    const entry = this.ways.filter((w) => !w.spare);
    return this.ordered(entry, now).flatMap(({ folders }) => {
      const [any] = folders.values();
      return any === undefined ? [] : [new URL(`../${file}`, any).href];
    });
  }
}
