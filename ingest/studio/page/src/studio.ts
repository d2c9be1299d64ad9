// The studio behind the page: the twins that it is at, the microphone, what is known, and
// the deeds. Views read it and call it; it knows no document.
import { API, type Levels, type News, type Refusal, type Snapshot } from './api';
import type { Key } from './i18n';
import { Microphone } from './microphone';
import { me, trouble, type Trouble } from './place';
import { Twin, type Room } from './twin';
import { Carrier, Deeds, hear, lead } from './twins';

/** Why a speaker is back at the door. */
export type Parting = Extract<Key, `parted_${string}`>;

/** How often it is looked whether all twins are well, how long a voice may take, and how long a twin may say nothing, in ms. */
const lookEvery = 120;
const lameAfter = 2000;
const hungAfter = 2000;

export class Studio implements Room {
  readonly mic: Microphone;
  readonly api: Deeds;
  readonly twins: readonly Twin[];
  refused: Refusal | null = null;
  joined = false;
  parting: Parting | null = null;
  selfMuted = false;
  notice: { key: Key; values: Record<string, string> } | null = null;
  private leader: Twin; // whose word is shown
  private heard: Twin; // whose return is heard
  private readonly lameSince = new Map<Twin, number>();
  private hanging = 0; // twins
  private readonly carrier: Carrier;
  private music: boolean | null = null;
  private awake: WakeLockSentinel | null = null;
  private watching: ReturnType<typeof setInterval> | undefined;

  /** places are the API and the loudspeaker of each twin, the page's own node first. */
  constructor(
    readonly station: string,
    places: readonly { api: API; audio: HTMLAudioElement }[],
    private readonly show: () => void,
    private readonly showLevels: () => void,
  ) {
    this.mic = new Microphone(
      () => this.exchangeTrack(),
      (label) => this.tell(label === null ? 'unplugged_none' : 'unplugged', { label: label ?? '' }),
    );
    this.twins = places.map(({ api, audio }) => new Twin(api, audio, this));
    this.leader = this.heard = this.twins[0]!;
    this.twins.forEach((t) => t.sound(t === this.heard));
    this.carrier = new Carrier(() => this.twins);
    this.api = new Deeds(() => [this.leader, ...this.others((t) => t.there)].map((t) => t.api));
  }

  start(): void {
    for (const t of this.twins) t.lines.events.start();
    const hurry = (): void => this.hurry();
    window.addEventListener('online', hurry);
    window.addEventListener('offline', this.show);
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) hurry();
    });
    window.addEventListener('pagehide', () => this.twins.forEach((t) => t.hangUp()));
    // Back from the browser's memory the page goes on where it was.
    window.addEventListener('pageshow', (e) => {
      if (!e.persisted) return;
      for (const t of this.twins) t.lines.events.start();
      if (this.joined) this.connect();
    });
    (navigator as { connection?: EventTarget }).connection?.addEventListener('change', hurry);
    if (this.twins.length > 1) this.watching = setInterval(() => void this.watch(), lookEvery);
  }

  /** Somebody looks again, or the network is back: no more waiting. */
  private hurry(): void {
    this.mic.wake();
    void this.stayAwake();
    if (this.joined) void this.play().catch(() => undefined);
    this.twins.forEach((t) => t.hurry());
    this.changed();
  }

  /** Lets what comes be heard; a browser may want a click before. */
  async play(): Promise<void> {
    await Promise.all(this.twins.map((t) => t.play()));
  }

  // What is known: the leader's word.

  get snapshot(): Snapshot | null {
    return this.leader.snapshot;
  }

  get levels(): Levels | null {
    return this.leader.levels;
  }

  get news(): News[] {
    return this.leader.news;
  }

  get connected(): boolean {
    return this.leader.there;
  }

  get voiced(): boolean {
    return this.twins.some((t) => t.voiced);
  }

  get now(): number {
    return this.leader.now;
  }

  get host(): boolean {
    return this.snapshot?.me.role === 'host';
  }

  get wantsMusic(): boolean {
    return this.music ?? this.snapshot?.me.music ?? false;
  }

  /** What is wrong with the way to each twin. */
  private troubleOf(twin: Twin): Trouble {
    const { lines, foreign } = twin;
    if (foreign || (this.twins.length > 1 && this.hangs(twin))) return 'events';
    return trouble({ events: lines.events.state, voice: lines.voice.state, ear: lines.ear.state }, navigator.onLine);
  }

  /** The one thing to say. Where one of the twins is well, it is not much. */
  get trouble(): Trouble {
    const all = this.twins.map((t) => this.troubleOf(t));
    if (!all.includes(null)) return this.troubleOf(this.leader);
    return all.every((x) => x === null || x === 'connecting') ? null : 'twin';
  }

  /** Of the twins the one that does not do, and the one that does. */
  get unwell(): { away: Twin; well: Twin } | null {
    const away = this.twins.find((t) => this.troubleOf(t) !== null);
    const well = this.twins.find((t) => this.troubleOf(t) === null);
    return away && well ? { away, well } : null;
  }

  tell(key: Key, values: Record<string, string> = {}): void {
    this.notice = { key, values };
    this.changed();
  }

  // What twins tell.

  track(): MediaStreamTrack | null {
    return this.mic.track;
  }

  changed(): void {
    this.leader = lead(this.twins.map((t) => this.weighed(t)), this.weighed(this.leader)).twin;
    this.carrier.look();
    this.show();
  }

  /** Whether a twin that is connected says nothing any more. */
  private hangs(twin: Twin): boolean {
    return twin.there && performance.now() - twin.spokeAt > hungAfter;
  }

  private weighed(twin: Twin): { twin: Twin; there: boolean; lame: boolean } {
    const since = this.lameSince.get(twin);
    return { twin, there: twin.there && !this.hangs(twin), lame: since !== undefined && performance.now() - since > lameAfter };
  }

  measured(t: Twin): void {
    if (t === this.leader) this.showLevels();
  }

  saw(t: Twin, before: Snapshot | null): void {
    if (t !== this.leader || !this.joined) return;
    const own = me(t.snapshot!);
    // A host may silence me; what I silenced stays silent until I say so.
    if (this.selfMuted && before && me(before)?.muted && own && !own.muted) this.patchMute(true);
    this.mic.mute(this.selfMuted || own?.muted === true);
  }

  refuse(t: Twin, why: Refusal): void {
    // That one twin does not know a key, or has another clock, is not the speaker's matter.
    if (t !== this.leader && why !== 'revoked' && why !== 'replaced') {
      t.foreign = why;
      t.hangUp();
      return this.changed();
    }
    this.close(why);
  }

  private close(why: Refusal): void {
    this.refused = why;
    this.leave(null);
    for (const t of this.twins) t.lines.events.stop();
    clearInterval(this.watching);
    this.carrier.stop();
    this.changed();
  }

  unfit(t: Twin): void {
    if (t === this.leader || !this.others((o) => o.voiced).length) this.leave('parted_unfit');
  }

  taken(): void {
    this.leave('parted_taken');
  }

  removed(): void {
    this.leave('parted_removed');
  }

  blocked(): void {
    this.tell('play_blocked');
  }

  // Which twin leads and which is heard.

  private others(which: (t: Twin) => boolean): Twin[] {
    return this.twins.filter((t) => t !== this.leader && which(t));
  }

  private async watch(): Promise<void> {
    const now = performance.now();
    for (const t of this.twins) {
      if (!this.joined || !this.mic.track || t.voiced) this.lameSince.delete(t);
      else if (!this.lameSince.has(t)) this.lameSince.set(t, now);
    }
    const before = this.leader;
    this.leader = lead(this.twins.map((t) => this.weighed(t)), this.weighed(before)).twin;
    const hanging = this.twins.filter((t) => this.hangs(t)).length;
    if (this.leader !== before || hanging !== this.hanging) this.changed();
    this.hanging = hanging;
    if (!this.joined) return;
    const ears = await Promise.all(this.twins.map(async (twin) => ({ twin, there: twin.there, missing: await twin.listened(now) })));
    const { twin } = hear(ears, ears.find((e) => e.twin === this.heard)!);
    if (twin === this.heard) return;
    this.heard = twin;
    this.twins.forEach((t) => t.sound(t === twin)); // one falls silent in the moment in which the other sounds
  }

  // Coming and going.

  /** Comes in. Without a microphone only to listen and direct. */
  join(): void {
    this.joined = true;
    this.parting = null;
    this.notice = null;
    this.selfMuted = false;
    this.mic.mute(false);
    void this.stayAwake();
    this.connect();
  }

  private connect(): void {
    this.twins.forEach((t) => t.connect());
    this.changed();
  }

  leave(why: Parting | null): void {
    const was = this.joined;
    this.joined = false;
    if (was) this.parting = why;
    this.twins.forEach((t) => t.leave());
    this.mic.stop();
    void this.awake?.release().catch(() => undefined);
    this.awake = null;
    this.changed();
  }

  // Microphone.

  /** Opens a microphone, for the check or in the middle of a talk. */
  async choose(device: string, music = this.wantsMusic): Promise<void> {
    this.music = music;
    await this.mic.start(device, music);
  }

  private exchangeTrack(): void {
    if (this.joined) this.twins.forEach((t) => t.exchange(this.mic.track));
    this.changed();
  }

  /** Silences me at once here; the others are told. */
  mute(on: boolean): void {
    this.selfMuted = on;
    this.mic.mute(on);
    this.patchMute(on);
    this.changed();
  }

  private patchMute(on: boolean): void {
    const seat = this.snapshot?.me.seat;
    if (seat) this.api.speaker(seat, { muted: on }).catch(() => undefined); // here it holds anyhow
  }

  get muted(): boolean {
    return this.selfMuted || (this.snapshot !== null && me(this.snapshot)?.muted === true);
  }

  private async stayAwake(): Promise<void> {
    if (!this.joined || document.hidden || (this.awake && !this.awake.released)) return;
    this.awake = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
  }
}
