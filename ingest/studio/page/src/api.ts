// The server's API as the page uses it: its shapes, and calls with the token.

export type Phase = 'auto' | 'scheduled' | 'doors' | 'live' | 'ended';
export type Level = 'warn' | 'alarm';

export interface Broadcast {
  id: string;
  title: string;
  description: string;
  state: 'scheduled' | 'doors' | 'live' | 'ended';
  start: string | null;
  doors_at: string | null;
  live_at: string | null;
  ended_at: string | null;
  late_seconds: number;
}

export interface Speaker {
  seat: string;
  name: string;
  role: string;
  transport: string;
  connected: boolean;
  since: string | null;
  on_air: boolean;
  muted: boolean;
  gain_db: number;
  feed: boolean;
  music: boolean;
  speaking: boolean;
}

export interface Alarm {
  kind: string;
  level: Level;
  since: string;
  seat: string;
  text: string;
}

export interface Snapshot {
  station: { name: string; title: string };
  now: string;
  me: { seat: string; name: string; role: string; music: boolean };
  phase: Phase;
  broadcast: Broadcast | null;
  next: Broadcast | null;
  audience_hears: 'hold' | 'live';
  hold: boolean;
  record?: string;
  speakers: Speaker[];
  cue: string[];
  talkback: string[];
  alarms: Alarm[];
  links: { audience?: string; studio?: string };
  ice_servers: { urls: string[]; username?: string; credential?: string }[];
}

/** What hosts made of a station: it goes from twin to twin as it is. */
export type Kept = object;

export interface LaneLevels {
  rms: number | null;
  peak: number | null;
  fill: 'heard' | 'concealed' | 'silent';
  speaking: boolean;
}

export interface Levels {
  now: string;
  programme?: { m: number | null; s: number | null; i: number | null; tp: number | null; limiter_db: number | null };
  lanes: Record<string, LaneLevels>;
}

export interface News {
  id: string;
  time: string;
  kind: string;
  seat: string;
  text: string;
}

export interface Link {
  id: string;
  role: string;
  name: string;
  expires: string | null;
  revoked?: boolean;
  url?: string;
  token?: string;
  push?: Record<string, string>;
}

/** Why a call failed: the problem's type without `urn:longwave:`, its status, its sentence. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    detail: string,
    readonly retryAfter: number | null = null,
  ) {
    super(detail);
  }

  static async of(answer: Response): Promise<Problem> {
    const body: unknown = await answer.json().catch(() => null);
    const { type, detail } = (body ?? {}) as { type?: unknown; detail?: unknown };
    const kind = typeof type === 'string' ? type.replace(/^.*:/, '') : '';
    const seconds = Number(answer.headers.get('Retry-After') ?? NaN);
    return new Problem(answer.status, kind, typeof detail === 'string' ? detail : '', Number.isFinite(seconds) ? seconds : null);
  }
}

/** What a refused key means to the page; null when it is not about the key. */
export type Refusal = 'unauthorized' | 'expired' | 'revoked' | 'forbidden' | 'absent' | 'replaced';

export function refusal(error: unknown): Refusal | null {
  if (!(error instanceof Problem)) return null;
  if (error.status === 401) return 'unauthorized';
  if (error.status === 404) return 'absent';
  if (error.status !== 403) return null;
  return error.kind === 'expired' || error.kind === 'revoked' ? error.kind : 'forbidden';
}

/** Calls for one station with one token. */
export class API {
  private readonly base: string;

  constructor(
    readonly station: string,
    readonly token: string,
    readonly origin: string,
  ) {
    this.base = `${origin}/api/v1/stations/${encodeURIComponent(station)}`;
  }

  headers(more: Record<string, string> = {}): Record<string, string> {
    return { Authorization: `Bearer ${this.token}`, ...more };
  }

  /** Opens the stream of events. */
  async events(lastID: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers = this.headers({ Accept: 'text/event-stream', ...(lastID ? { 'Last-Event-ID': lastID } : {}) });
    const answer = await fetch(`${this.base}/events`, { headers, signal, cache: 'no-store' });
    if (!answer.ok || !answer.body) throw await Problem.of(answer);
    return answer.body;
  }

  async call<T>(method: string, path = '', body?: unknown): Promise<T> {
    const init: RequestInit = { method, cache: 'no-store', signal: AbortSignal.timeout(10_000) };
    init.headers = this.headers(body === undefined ? {} : { 'Content-Type': 'application/json' });
    if (body !== undefined) init.body = JSON.stringify(body);
    const answer = await fetch(this.base + path, init);
    if (!answer.ok) throw await Problem.of(answer);
    const text = await answer.text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  snapshot = (): Promise<Snapshot> => this.call('GET');
  speaker = (seat: string, change: object): Promise<Speaker> => this.call('PATCH', `/speakers/${encodeURIComponent(seat)}`, change);
  remove = (seat: string): Promise<void> => this.call('DELETE', `/speakers/${encodeURIComponent(seat)}`);
  cue = (seats: string[]): Promise<void> => this.call('PUT', '/cue', { seats });
  talkback = (to: { seats: string[] } | { all: true }): Promise<void> => this.call('PUT', '/talkback', to);
  hold = (on: boolean): Promise<void> => this.call('PUT', '/hold', { on });
  live = (b: { id: string }): Promise<Broadcast> => this.call('POST', '/live', b);
  end = (): Promise<Broadcast> => this.call('POST', '/end', {});
  broadcasts = async (): Promise<Broadcast[]> => (await this.call<{ broadcasts?: Broadcast[] }>('GET', '/broadcasts')).broadcasts ?? [];
  announce = (b: object): Promise<Broadcast> => this.call('POST', '/broadcasts', b);
  withdraw = (id: string): Promise<void> => this.call('DELETE', `/broadcasts/${encodeURIComponent(id)}`);
  links = async (): Promise<Link[]> => (await this.call<{ links?: Link[] }>('GET', '/links')).links ?? [];
  link = (l: object): Promise<Link> => this.call('POST', '/links', l);
  record = (): Promise<Kept> => this.call('GET', '/record');
  join = (r: Kept): Promise<Kept> => this.call('PUT', '/record', r);
  revoke = (id: string): Promise<void> => this.call('DELETE', `/links/${encodeURIComponent(id)}`);
}
