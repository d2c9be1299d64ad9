// What the twins are to the studio: which one is shown, which one is heard, who is told
// of a deed, and what one missed is brought by. Pure, but for Carrier and Deeds.
import { API, Problem, type Broadcast, type Link, type Kept, type Snapshot, type Speaker } from './api';

/** A return as it is chosen. */
export interface Ear {
  missing: number; // for how long nothing has come by it, in ms; packets come each 20
  there: boolean; // its node's events come
}

/** How long a return may be missed, in ms: of a node that has gone otherwise, too, less. */
const patience = 500;
const doubt = 150;

/** Which return is heard: the one that is, until nothing comes by it while another one sounds. */
export function hear<T extends Ear>(all: readonly T[], heard: T): T {
  if (heard.missing < (heard.there ? patience : doubt)) return heard;
  const best = all.reduce((a, b) => (b.missing < a.missing ? b : a), heard);
  return best.missing < Math.min(patience, heard.missing) ? best : heard;
}

/** A twin as it is chosen to lead. */
export interface Leader {
  there: boolean; // its events come
  lame: boolean; // my voice has not got there for a while
}

/** Which twin's word is shown: the one that leads, unless it is gone or does not hear me and another does. */
export function lead<T extends Leader>(all: readonly T[], leader: T): T {
  const worth = (t: T): number => (t.there ? (t.lame ? 1 : 2) : 0);
  return all.reduce((a, b) => (worth(b) > worth(a) ? b : a), leader);
}

/** Whether two twins do not know the same of what hosts made. */
export function apart(a: Snapshot, b: Snapshot): boolean {
  if (a.record !== b.record) return true;
  const same = (p: Speaker, q: Speaker): boolean => p.on_air === q.on_air && p.muted === q.muted && p.gain_db === q.gain_db;
  const missed = (from: Snapshot, to: Snapshot): boolean =>
    from.speakers.some((p) => {
      const q = to.speakers.find((x) => x.seat === p.seat);
      return p.role !== 'input' && (q ? !same(p, q) : p.connected);
    });
  return missed(a, b) || missed(b, a);
}

/** A new broadcast's id, the same for all twins: ten of a-z and 2-7. */
export function newID(random: Uint8Array = crypto.getRandomValues(new Uint8Array(10))): string {
  return Array.from(random, (n) => 'abcdefghijklmnopqrstuvwxyz234567'[n % 32]).join('');
}

/** How long the one whose word counts is waited for when another has answered, in ms. */
const grace = 1500;

/**
 * The host's deeds, done at every twin that is there. The leader's answer counts; where it
 * cannot be reached, another's does.
 */
export class Deeds {
  /** apis returns the leader's API and after it those of the others that are there. */
  constructor(private readonly apis: () => readonly API[]) {}

  private async each<T>(deed: (api: API) => Promise<T>): Promise<T> {
    const [first, ...rest] = this.apis().map(deed) as [Promise<T>, ...Promise<T>[]];
    if (rest.length === 0) return first;
    const other = Promise.any(rest);
    const late = other.then((answer) => new Promise<T>((resolve) => setTimeout(() => resolve(answer), grace)));
    late.catch(() => undefined);
    try {
      return await Promise.race([first, late.catch(() => first)]);
    } catch (error) {
      if (error instanceof Problem) throw error;
      return other.catch(() => Promise.reject(error));
    }
  }

  /** Of the leader alone. */
  private ask<T>(question: (api: API) => Promise<T>): Promise<T> {
    return question(this.apis()[0]!);
  }

  speaker = (seat: string, change: object): Promise<Speaker> => this.each((a) => a.speaker(seat, change));
  remove = (seat: string): Promise<void> => this.each((a) => a.remove(seat));
  cue = (seats: string[]): Promise<void> => this.each((a) => a.cue(seats));
  talkback = (to: { seats: string[] } | { all: true }): Promise<void> => this.each((a) => a.talkback(to));
  hold = (on: boolean): Promise<void> => this.each((a) => a.hold(on));
  end = (): Promise<Broadcast> => this.each((a) => a.end());
  withdraw = (id: string): Promise<void> => this.each((a) => a.withdraw(id));
  revoke = (id: string): Promise<void> => this.each((a) => a.revoke(id));
  broadcasts = (): Promise<Broadcast[]> => this.ask((a) => a.broadcasts());
  links = (): Promise<Link[]> => this.ask((a) => a.links());

  live(): Promise<Broadcast> {
    const id = newID();
    return this.each((a) => a.live({ id }));
  }

  announce(b: object): Promise<Broadcast> {
    const id = newID();
    return this.each((a) => a.announce({ id, ...b }));
  }

  /** A link is good at all twins wherever it was made; that it was made is brought to them. */
  link = (l: object): Promise<Link> => this.ask((a) => a.link(l));
}

/** A twin as what it knows is brought to the others. */
export interface Knower {
  api: { record(): Promise<Kept>; join(r: Kept): Promise<Kept> };
  snapshot: Snapshot | null;
  there: boolean;
  met: boolean;
}

const firstWait = 700;
const lastWait = 30_000;

/**
 * Brings to each twin what the others know and it does not: one that was down missed what
 * hosts did. Nothing is lost whoever brings it, how often, and in whatever order.
 */
export class Carrier {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = firstWait;

  constructor(private readonly all: () => readonly Knower[]) {}

  /** Called when anything changed. */
  look(): void {
    if (this.timer !== undefined || !this.due()) return;
    this.timer = setTimeout(() => void this.go(), this.wait);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private due(): boolean {
    const [a, ...rest] = this.here();
    if (!a) return false;
    const due = rest.some((b) => !b.met || apart(a.snapshot!, b.snapshot!));
    if (!due) this.wait = firstWait;
    return due;
  }

  private here(): Knower[] {
    return this.all().filter((t) => t.there && t.snapshot?.me.role === 'host' && t.snapshot.record !== undefined);
  }

  private async go(): Promise<void> {
    if (this.due()) {
      this.wait = Math.min(2 * this.wait, lastWait); // until it has helped
      const [a, ...rest] = this.here() as [Knower, ...Knower[]];
      for (const b of rest) await this.carry(a, b).catch(() => undefined);
    }
    this.timer = undefined;
    this.look();
  }

  private async carry(a: Knower, b: Knower): Promise<void> {
    await a.api.join(await b.api.join(await a.api.record()));
    b.met = a.met = true;
  }
}
