// One of the nodes that the studio is at: its lines, what it says, the voice that goes to
// it and the return that comes from it. A studio without twins is at one.
import { API, refusal, type Levels, type News, type Refusal, type Snapshot } from './api';
import { ServerClock } from './clock';
import { read, type StreamEvent } from './eventstream';
import { Line, type End } from './line';
import { forgotten, me, takenOver } from './place';
import { judge, publish, receive } from './rtc';

/** What a twin asks of the studio and tells it. */
export interface Room {
  track(): MediaStreamTrack | null;
  changed(): void;
  measured(t: Twin): void;
  saw(t: Twin, before: Snapshot | null): void;
  /** The key does not hold, says this one. */
  refuse(t: Twin, why: Refusal): void;
  unfit(t: Twin): void;
  taken(): void;
  removed(): void;
  blocked(): void;
}

const newsKept = 50;

export class Twin {
  readonly clock = new ServerClock();
  readonly lines: { events: Line; voice: Line; ear: Line };
  snapshot: Snapshot | null = null;
  levels: Levels | null = null;
  news: News[] = [];
  foreign: Refusal | null = null; // the key holds elsewhere and not here
  spokeAt = -Infinity; // when its last event came; levels come ten times a second
  met = false; // what hosts made was brought here since the events began
  private lastNews = '';
  private bye = '';
  private fresh = false; // a stream of events began, its first snapshot has not come
  private sender: RTCRtpSender | null = null;
  private receiver: RTCRtpReceiver | null = null;
  private packets = 0; // of the return
  private packetAt = -Infinity;
  private mine: string | null = null; // since when the server has my voice
  private asked = 0; // the server's time at which I asked for my seat

  constructor(
    readonly api: API,
    private readonly audio: HTMLAudioElement,
    private readonly room: Room,
  ) {
    const changed = (): void => room.changed();
    this.lines = {
      events: new Line((up, signal) => this.watch(up, signal), changed),
      voice: new Line((up, signal) => this.speak(up, signal), changed),
      ear: new Line((up, signal) => this.listen(up, signal), changed),
    };
  }

  /** The node's name for people. */
  get host(): string {
    return new URL(this.api.origin).host;
  }

  get now(): number {
    return this.clock.now(Date.now());
  }

  /** Whether it is there: its events come. */
  get there(): boolean {
    return this.lines.events.state.phase === 'up';
  }

  get voiced(): boolean {
    return this.lines.voice.state.phase === 'up';
  }

  hurry(): void {
    for (const line of Object.values(this.lines)) line.hurry();
  }

  hangUp(): void {
    for (const line of Object.values(this.lines)) line.stop();
  }

  /** Brings the voice, if there is one, and listens. */
  connect(): void {
    if (this.foreign) return;
    if (this.room.track()) this.lines.voice.start();
    this.lines.ear.start();
  }

  leave(): void {
    this.lines.voice.stop();
    this.lines.ear.stop();
    this.audio.srcObject = null;
    this.receiver = null;
    this.mine = null;
  }

  // Events.

  private async watch(up: () => void, signal: AbortSignal): Promise<End> {
    this.bye = '';
    this.fresh = true;
    this.met = false;
    try {
      const body = await this.api.events(this.lastNews, signal);
      await read(body, (e) => this.take(e, up));
    } catch (error) {
      const why = refusal(error);
      if (why) this.room.refuse(this, why);
      if (why || this.bye === '') return judge(error);
    }
    return this.farewell();
  }

  private farewell(): End {
    switch (this.bye) {
      case 'expired':
      case 'revoked':
      case 'replaced': // by a later window: coming again would push out another one
        this.room.refuse(this, this.bye);
        return { again: false, reason: this.bye };
      case 'removed': // the key still holds: one may come again
        this.room.removed();
        return { again: true, reason: '' };
      default:
        return { again: true, reason: this.bye };
    }
  }

  private take(e: StreamEvent, up: () => void): void {
    this.spokeAt = performance.now();
    switch (e.event) {
      case 'state':
        this.see(JSON.parse(e.data) as Snapshot);
        if (!this.there) {
          up();
          this.hurry(); // a node that is back is not waited for
        }
        return this.room.changed();
      case 'levels':
        this.levels = JSON.parse(e.data) as Levels;
        return this.room.measured(this);
      case 'news':
        if (e.id !== null) this.lastNews = e.id;
        this.news = [JSON.parse(e.data) as News, ...this.news].slice(0, newsKept);
        return this.room.changed();
      case 'bye':
        this.bye = (JSON.parse(e.data) as { reason: string }).reason;
    }
  }

  private see(s: Snapshot): void {
    this.clock.hear(s.now, Date.now());
    const before = this.snapshot;
    this.snapshot = s;
    const { fresh } = this;
    this.fresh = false;
    if (this.voiced) {
      if (takenOver(s, this.mine)) return this.room.taken();
      if (fresh && forgotten(s, this.mine)) return this.reconnect();
      this.claim();
    }
    this.room.saw(this, before);
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

  // Voice and ear.

  private way(kind: 'whip' | 'whep', up: () => void, signal: AbortSignal) {
    const url = `${this.api.origin}/${kind}/${encodeURIComponent(this.api.station)}`;
    return { url, headers: this.api.headers(), ice: this.snapshot?.ice_servers ?? [], signal, up };
  }

  private async speak(up: () => void, signal: AbortSignal): Promise<End> {
    const track = this.room.track();
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
    this.room.taken();
    return { again: false, reason: 'taken' };
  }

  private giveUp({ reason }: End): void {
    if (reason === 'expired' || reason === 'revoked' || reason === 'unauthorized') this.room.refuse(this, reason);
    else this.room.unfit(this);
  }

  private async listen(up: () => void, signal: AbortSignal): Promise<End> {
    const end = await receive(this.way('whep', up, signal), (stream, receiver) => {
      this.receiver = receiver;
      this.packets = 0;
      this.audio.srcObject = stream;
      void this.audio.play().catch(() => this.room.blocked());
    });
    if (!end.again && !signal.aborted) this.giveUp(end);
    return end;
  }

  /** Another track, or none, in place of the one that is sent. */
  exchange(track: MediaStreamTrack | null): void {
    if (track && this.lines.voice.state.phase === 'off' && !this.foreign) this.lines.voice.start();
    if (this.sender && this.sender.track !== track) {
      this.sender.replaceTrack(track).catch(() => this.lines.voice.renew());
    }
  }

  /** Whether the return can be heard. */
  sound(on: boolean): void {
    if (this.audio.muted === on) this.audio.muted = !on;
  }

  play(): Promise<void> {
    return this.audio.srcObject ? this.audio.play() : Promise.resolve();
  }

  /** Looks whether the return still comes, and returns for how long it has not, in ms. */
  async listened(now: number): Promise<number> {
    const report = this.lines.ear.state.phase === 'up' ? await this.receiver?.getStats().catch(() => null) : null;
    for (const s of report?.values() ?? []) {
      const { type, packetsReceived } = s as { type: string; packetsReceived?: number };
      if (type !== 'inbound-rtp' || packetsReceived === undefined || packetsReceived === this.packets) continue;
      this.packets = packetsReceived;
      this.packetAt = now;
    }
    return now - this.packetAt;
  }
}
