// What is always there: title, clock, go live, what is wrong, and where I am.
import { confirm, reason } from './dialogs';
import { duration, readClock, type Reading } from './clock';
import { attribute, h, say } from './dom';
import { clockTime, dayTime, t, type Key } from './i18n';
import { isOnAir, place, type Place, type Trouble } from './place';
import type { Studio } from './studio';

/** The clock's reading as a sentence. */
export function readingWords(r: Reading): string {
  switch (r.kind) {
    case 'scheduled':
    case 'doors':
      return r.ms > 0 ? t(`clock_${r.kind}`, { time: duration(r.ms, true) }) : t('clock_doors_open');
    case 'live_late':
      return t('clock_live_late', { time: duration(r.ms), late: duration(r.late) });
    case 'late':
    case 'live':
      return t(`clock_${r.kind}`, { time: duration(r.ms) });
    default:
      return t(`clock_${r.kind}`);
  }
}

export class Frame {
  private readonly station = h('p', { class: 'station' });
  private readonly title = h('h1', {});
  private readonly time = h('span', { class: 'time' });
  private readonly reading = h('span', { class: 'reading' });
  private readonly detail = h('p', { class: 'detail' });
  private readonly live = h('button', { type: 'button', class: 'golive', hidden: true, onclick: () => void this.press() });
  private readonly trouble = h('p', { class: 'trouble', role: 'status' });
  private readonly notice = h('p', { class: 'notice', role: 'status' });
  private readonly where = h('p', { class: 'where' });
  private readonly heard = h('p', { class: 'heard' });
  private readonly banner = h('section', { class: 'banner', role: 'status' }, this.where, this.heard);
  readonly body = h('main', {});
  readonly root: HTMLElement;

  constructor(
    private readonly studio: Studio,
    private readonly stationTitle: string,
  ) {
    const clock = h('div', { class: 'clock' }, this.time, this.reading);
    const bar = h('header', { class: 'top' }, h('div', { class: 'title' }, this.station, this.title, this.detail), clock, this.live);
    this.root = h('div', { class: 'frame' }, bar, this.trouble, this.notice, this.banner, this.body);
  }

  private async press(): Promise<void> {
    const { studio } = this;
    const s = studio.snapshot;
    if (!s) return;
    if (s.phase !== 'live') return this.attempt(studio.api.live());
    const time = duration(readClock(s, studio.now).ms);
    if (await confirm(t('end_sure'), t('end_sure_do', { time }), t('end_now'), t('go_on'))) await this.attempt(studio.api.end());
  }

  private async attempt(deed: Promise<unknown>): Promise<void> {
    this.live.disabled = true;
    try {
      await deed;
      this.studio.notice = null;
    } catch (error) {
      fail(this.studio, error);
    } finally {
      this.live.disabled = false;
    }
  }

  show(): void {
    const { studio } = this;
    const s = studio.snapshot;
    const station = s?.station.title || this.stationTitle;
    const title = s?.broadcast?.title || '';
    say(this.station, title ? `${station} · ${t('studio')}` : t('studio'));
    say(this.title, title || station);
    const { trouble } = studio;
    say(this.trouble, trouble && trouble !== 'connecting' ? this.words(trouble) : '');
    attribute(this.trouble, 'data-calm', trouble === 'twin');
    say(this.notice, studio.notice ? t(studio.notice.key, studio.notice.values) : '');
    this.live.hidden = !studio.host;
    if (!s) return;
    const running = s.phase === 'live';
    say(this.live, t(running ? 'end' : 'go_live'));
    attribute(this.live, 'data-deed', running ? 'end' : 'live');
    attribute(this.root, 'data-phase', s.phase);
    this.showPlace();
    this.tick();
  }

  private words(trouble: Exclude<Trouble, null | 'connecting'>): string {
    const { host, unwell } = this.studio;
    if (trouble !== 'twin' || !host || !unwell) return t(`trouble_${trouble}`);
    const names = { away: unwell.away.host, well: unwell.well.host };
    return t(unwell.away.foreign ? 'twin_foreign' : 'twin_away', names);
  }

  private showPlace(): void {
    const { studio } = this;
    const s = studio.snapshot!;
    this.banner.hidden = !studio.joined;
    const p: Place | 'listening' = studio.mic.open || studio.mic.trouble ? place(s) : s.talkback.length > 0 ? 'talkback' : 'listening';
    const air = studio.joined && p !== 'listening' && isOnAir(p) && studio.voiced;
    const talk = studio.joined && p === 'talkback';
    attribute(document.body, 'data-air', air);
    attribute(document.body, 'data-talk', talk);
    if (!studio.joined) return this.tab('');
    const others = s.speakers.filter((x) => x.connected && x.seat !== s.me.seat);
    const all = others.length > 1 && s.talkback.length >= others.length;
    const names = all ? t('everybody') : s.talkback.map((seat) => s.speakers.find((x) => x.seat === seat)?.name ?? seat).join(', ');
    const connecting = studio.trouble === 'connecting' && p === 'away';
    say(this.where, connecting ? t('trouble_connecting') : t(`place_${p}`, { names }));
    let heard: Key = `place_${p}_do`;
    if (p === 'ready' && studio.host) heard = 'place_ready_host_do';
    if (studio.mic.open && studio.muted && p !== 'away') heard = studio.selfMuted ? 'you_muted' : 'host_muted';
    say(this.heard, t(heard));
    attribute(this.banner, 'data-place', p);
    this.tab(air ? `● ${t('on_air')} · ` : '');
  }

  private tab(mark: string): void {
    const title = `${mark}${this.title.textContent} · ${t('studio')}`;
    if (document.title !== title) document.title = title;
  }

  /** The clock, a few times a second. */
  tick(): void {
    const s = this.studio.snapshot;
    const { now } = this.studio;
    say(this.time, clockTime(now, true));
    if (!s) return;
    const reading = readClock(s, now);
    say(this.reading, readingWords(reading));
    attribute(this.reading, 'data-kind', reading.kind);
    say(this.detail, this.details());
  }

  private details(): string {
    const s = this.studio.snapshot!;
    const parts: string[] = [];
    const { start, doors_at } = s.broadcast ?? {};
    if (start && s.phase !== 'live' && s.phase !== 'ended') {
      const today = new Date(start).toDateString() === new Date(this.studio.now).toDateString();
      parts.push(t('announced', { time: today ? clockTime(Date.parse(start)) : dayTime(Date.parse(start)) }));
      if (s.phase === 'scheduled' && doors_at) parts.push(t('doors_at', { time: clockTime(Date.parse(doors_at)) }));
    }
    if (this.studio.host) parts.push(t(`audience_${s.audience_hears}`));
    return parts.join(' ');
  }
}

/** Says that a deed failed, and why. */
export function fail(studio: Studio, error: unknown): void {
  studio.tell('failed', { detail: reason(error) });
}
