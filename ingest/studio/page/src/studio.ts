// The studio behind the page: lines to the server, the microphone, what is known, and
// the deeds. Views read it and call it; it knows no document.
import { API, refusal, type Levels, type News, type Refusal, type Snapshot } from './api';
import { ServerClock } from './clock';
import { read, type StreamEvent } from './eventstream';
import type { Key } from './i18n';
import { Line, type End } from './line';
import { Microphone } from './microphone';
import { forgotten, me, takenOver, trouble, type Trouble } from './place';
import { judge, publish, receive } from './rtc';

/** Why a speaker is back at the door. */
export type Parting = Extract<Key, `parted_${string}`>;

const newsKept = 50;

export class Studio {
  readonly clock = new ServerClock();
  readonly mic: Microphone;
  readonly lines: { events: Line; voice: Line; ear: Line };
  snapshot: Snapshot | null = null;
  levels: Levels | null = null;
  news: News[] = [];
  refused: Refusal | null = null;
  joined = false;
  parting: Parting | null = null;
  selfMuted = false;
  notice: { key: Key; values: Record<string, string> } | null = null;
  private music: boolean | null = null;
  private lastNews = '';
  private bye = '';
  private fresh = false; // a stream of events began, its first snapshot has not come
  private sender: RTCRtpSender | null = null;
  private mine: string | null = null; // since when the server has my voice
  private asked = 0; // the server's time at which I asked for my seat
  private awake: WakeLockSentinel | null = null;

  constructor(
    readonly api: API,
    private readonly origin: string,
    private readonly audio: HTMLAudioElement,
    private readonly changed: () => void,
    private readonly measured: () => void,
  ) {
    this.mic = new Microphone(
      () => this.exchangeTrack(),
      (label) => this.tell(label === null ? 'unplugged_none' : 'unplugged', { label: label ?? '' }),
    );
    this.lines = {
      events: new Line((up, signal) => this.watch(up, signal), changed),
      voice: new Line((up, signal) => this.speak(up, signal), changed),
      ear: new Line((up, signal) => this.listen(up, signal), changed),
    };
  }

  start(): void {
    this.lines.events.start();
    const hurry = (): void => this.hurry();
    window.addEventListener('online', hurry);
    window.addEventListener('offline', this.changed);
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) hurry();
    });
    window.addEventListener('pagehide', () => this.hangUp());
    // Back from the browser's memory the page goes on where it was.
    window.addEventListener('pageshow', (e) => {
      if (!e.persisted) return;
      this.lines.events.start();
      if (this.joined) this.connect();
    });
    (navigator as { connection?: EventTarget }).connection?.addEventListener('change', hurry);
  }

  private hangUp(): void {
    for (const line of Object.values(this.lines)) line.stop();
  }

  /** Somebody looks again, or the network is back: no more waiting. */
  private hurry(): void {
    this.mic.wake();
    void this.stayAwake();
    if (this.joined) void this.audio.play().catch(() => undefined);
    for (const line of Object.values(this.lines)) line.hurry();
    this.changed();
  }

  get host(): boolean {
    return this.snapshot?.me.role === 'host';
  }

  get trouble(): Trouble {
    const { events, voice, ear } = this.lines;
    return trouble({ events: events.state, voice: voice.state, ear: ear.state }, navigator.onLine);
  }

  get now(): number {
    return this.clock.now(Date.now());
  }

  get wantsMusic(): boolean {
    return this.music ?? this.snapshot?.me.music ?? false;
  }

  tell(key: Key, values: Record<string, string> = {}): void {
    this.notice = { key, values };
    this.changed();
  }

  // Events.

  private async watch(up: () => void, signal: AbortSignal): Promise<End> {
    this.bye = '';
    this.fresh = true;
    try {
      const body = await this.api.events(this.lastNews, signal);
      await read(body, (e) => this.take(e, up));
    } catch (error) {
      const why = refusal(error);
      if (why) this.refuse(why);
      if (why || this.bye === '') return judge(error);
    }
    return this.farewell();
  }

  private farewell(): End {
    switch (this.bye) {
      case 'expired':
      case 'revoked':
      case 'replaced': // by a later window: coming again would push out another one
        this.refuse(this.bye);
        return { again: false, reason: this.bye };
      case 'removed': // the key still holds: one may come again
        this.leave('parted_removed');
        return { again: true, reason: '' };
      default:
        return { again: true, reason: this.bye };
    }
  }

  private take(e: StreamEvent, up: () => void): void {
    switch (e.event) {
      case 'state':
        this.see(JSON.parse(e.data) as Snapshot);
        if (this.lines.events.state.phase !== 'up') up();
        return this.changed();
      case 'levels':
        this.levels = JSON.parse(e.data) as Levels;
        return this.measured();
      case 'news':
        if (e.id !== null) this.lastNews = e.id;
        this.news = [JSON.parse(e.data) as News, ...this.news].slice(0, newsKept);
        return this.changed();
      case 'bye':
        this.bye = (JSON.parse(e.data) as { reason: string }).reason;
    }
  }

  private see(s: Snapshot): void {
    this.clock.hear(s.now, Date.now());
    const before = this.snapshot && me(this.snapshot);
    this.snapshot = s;
    const own = me(s);
    const { fresh } = this;
    this.fresh = false;
    if (this.lines.voice.state.phase === 'up') {
      if (takenOver(s, this.mine)) return this.leave('parted_taken');
      if (fresh && forgotten(s, this.mine)) return this.reconnect();
      this.claim();
    }
    if (!this.joined) return;
    // A host may silence me; what I silenced stays silent until I say so.
    if (this.selfMuted && before?.muted && own && !own.muted) this.patchMute(true);
    this.mic.mute(this.selfMuted || own?.muted === true);
  }

  /** A server that began anew has no voice of mine; the connection would tell seconds later. */
  private reconnect(): void {
    this.lines.voice.renew();
    this.lines.ear.renew();
  }

  /** Notes since when the server has the voice that is up. What it had before is an older one's. */
  private claim(): void {
    const own = this.snapshot && me(this.snapshot);
    if (this.mine === null && own?.connected && own.since && Date.parse(own.since) >= this.asked) this.mine = own.since;
  }

  private refuse(why: Refusal): void {
    this.refused = why;
    this.leave(null);
    this.lines.events.stop();
    this.changed();
  }

  // Voice and ear.

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
    if (this.mic.track) this.lines.voice.start();
    this.lines.ear.start();
    this.changed();
  }

  leave(why: Parting | null): void {
    const was = this.joined;
    this.joined = false;
    if (was) this.parting = why;
    this.lines.voice.stop();
    this.lines.ear.stop();
    this.mic.stop();
    this.audio.srcObject = null;
    this.mine = null;
    void this.awake?.release().catch(() => undefined);
    this.awake = null;
    this.changed();
  }

  private way(kind: 'whip' | 'whep', up: () => void, signal: AbortSignal) {
    const url = `${this.origin}/${kind}/${encodeURIComponent(this.api.station)}`;
    return { url, headers: this.api.headers(), ice: this.snapshot?.ice_servers ?? [], signal, up };
  }

  private async speak(up: () => void, signal: AbortSignal): Promise<End> {
    const { track } = this.mic;
    if (!track) return { again: true, reason: 'no microphone' };
    this.asked = this.now;
    this.mine = null;
    const isUp = (): void => {
      up();
      this.claim();
    };
    const end = await publish(this.way('whip', isUp, signal), track, (s) => (this.sender = s));
    this.sender = null;
    return signal.aborted ? end : this.weigh(end);
  }

  /** Whether a lost voice is tried again: not when another window has the seat, and not with a bad key. */
  private async weigh(end: End): Promise<End> {
    if (!end.again) {
      this.giveUp(end);
      return end;
    }
    const { mine } = this;
    const s = await this.api.snapshot().catch(() => null);
    if (!s || !takenOver(s, mine)) return end;
    this.leave('parted_taken');
    return { again: false, reason: 'taken' };
  }

  private giveUp(end: End): void {
    if (end.reason === 'expired' || end.reason === 'revoked' || end.reason === 'unauthorized') this.refuse(end.reason);
    else this.leave('parted_unfit');
  }

  private async listen(up: () => void, signal: AbortSignal): Promise<End> {
    const end = await receive(this.way('whep', up, signal), (stream) => {
      this.audio.srcObject = stream;
      void this.audio.play().catch(() => this.tell('play_blocked'));
    });
    if (!end.again && !signal.aborted) this.giveUp(end);
    return end;
  }

  // Microphone.

  /** Opens a microphone, for the check or in the middle of a talk. */
  async choose(device: string, music = this.wantsMusic): Promise<void> {
    this.music = music;
    await this.mic.start(device, music);
  }

  private exchangeTrack(): void {
    const { track } = this.mic;
    if (this.joined && track && this.lines.voice.state.phase === 'off') this.lines.voice.start();
    if (this.sender && this.sender.track !== track) {
      this.sender.replaceTrack(track).catch(() => this.lines.voice.renew());
    }
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
