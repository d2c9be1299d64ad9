// The host's desk: everybody's seats, the programme, alarms.
import type { Alarm, Speaker } from './api';
import { named } from './dialogs';
import { attribute, h, Keyed, Meter, say } from './dom';
import { fail } from './frame';
import { clockTime, decibels, language, t } from './i18n';
import { closed, me, meterAt, sorted } from './place';
import { Seat, talkButton, type Hands } from './seat';
import type { Studio } from './studio';

class Seats {
  private readonly list = h('ul', { class: 'seats' });
  private readonly empty: HTMLElement;
  private readonly count = h('span', { class: 'count' });
  private readonly keyed: Keyed<Speaker, Seat>;
  readonly root: HTMLElement;

  constructor(heading: string, empty: string, hint: string, name: string, studio: Studio, hands: Hands) {
    this.empty = h('p', { class: 'quiet' }, empty);
    this.keyed = new Keyed<Speaker, Seat>(
      this.list,
      (p) => new Seat(p, hands),
      (view, p) => {
        const s = studio.snapshot!;
        view.show(p, me(s), s.cue.includes(p.seat), s.talkback.includes(p.seat));
      },
    );
    this.root = h('section', { class: `card ${name}` }, h('h2', {}, heading, ' ', this.count), this.list, this.empty, hint ? h('p', { class: 'hint' }, hint) : null);
  }

  show(people: readonly Speaker[]): void {
    this.keyed.show(people, (p) => p.seat);
    this.list.hidden = people.length === 0;
    this.empty.hidden = people.length > 0;
    say(this.count, people.length > 0 ? String(people.length) : '');
  }

  get(seat: string): Seat | undefined {
    return this.keyed.get(seat);
  }
}

/** Loudness, true peak, hold, talk to all. */
class Programme {
  private readonly meter = new Meter();
  private readonly m = h('dd', {});
  private readonly s = h('dd', {});
  private readonly i = h('dd', {});
  private readonly tp = h('dd', {});
  private readonly hold: HTMLButtonElement;
  private readonly all: HTMLButtonElement;
  readonly root: HTMLElement;
  private writtenAt = -Infinity;

  constructor(private readonly studio: Studio) {
    const { api } = studio;
    this.hold = h('button', { type: 'button', class: 'holdbutton', onclick: () => void api.hold(!studio.snapshot?.hold).catch((e: unknown) => fail(studio, e)) });
    this.all = talkButton(t('talk_all'), (on) => void api.talkback(on ? { all: true } : { seats: [] }).catch((e: unknown) => fail(studio, e)));
    const pair = (term: string, value: HTMLElement) => h('div', {}, h('dt', {}, term), value);
    const figures = h('dl', { class: 'figures' }, pair(t('loudness_m'), this.m), pair(t('loudness_s'), this.s), pair(t('loudness_i'), this.i), pair(t('true_peak'), this.tp));
    this.root = h('section', { class: 'card programme' }, h('h2', {}, t('programme')), this.meter.root, figures, h('div', { class: 'buttons' }, this.hold, this.all), h('p', { class: 'hint' }, t('hold_hint')));
  }

  show(): void {
    const s = this.studio.snapshot!;
    say(this.hold, t(s.hold ? 'hold_stop' : 'hold_start'));
    attribute(this.hold, 'data-on', s.hold);
    this.hold.disabled = closed(s) && !s.hold;
    const others = s.speakers.filter((p) => p.connected && p.seat !== s.me.seat);
    const all = others.length > 1 && others.every((p) => s.talkback.includes(p.seat));
    attribute(this.all, 'aria-pressed', String(all));
    this.all.disabled = (others.length === 0 || !me(s)?.connected) && !all;
  }

  /** The meter each time, the figures twice a second: digits that run cannot be read. */
  measure(): void {
    const p = this.studio.levels?.programme;
    if (!p) return;
    this.meter.set(meterAt(p.m), meterAt(p.tp));
    const now = performance.now();
    if (now - this.writtenAt < 500) return;
    this.writtenAt = now;
    say(this.m, t('lufs', { value: decibels(p.m) }));
    say(this.s, t('lufs', { value: decibels(p.s) }));
    say(this.i, t('lufs', { value: decibels(p.i) }));
    say(this.tp, t('dbtp', { value: decibels(p.tp) }));
    attribute(this.tp, 'data-hot', p.tp !== null && p.tp > -1);
  }
}

/** What is wrong, where it cannot be missed; nothing when nothing is. */
class Alarms {
  private readonly list = h('ul', {});
  private readonly keyed: Keyed<Alarm, { root: HTMLElement; text: HTMLElement; since: HTMLElement }>;
  readonly root = h('section', { class: 'alarms', role: 'alert', 'aria-label': t('alarms') }, this.list);

  constructor(private readonly studio: Studio) {
    this.keyed = new Keyed<Alarm, { root: HTMLElement; text: HTMLElement; since: HTMLElement }>(
      this.list,
      () => {
        const [text, since] = [h('strong', {}), h('span', {})];
        return { root: h('li', {}, text, ' ', since), text, since };
      },
      (row, a) => {
        const name = studio.snapshot?.speakers.find((p) => p.seat === a.seat)?.name ?? '';
        say(row.text, language === 'en' && a.text ? a.text : named('alarm', a.kind, name, a.text));
        say(row.since, t('alarm_since', { time: clockTime(Date.parse(a.since), true) }));
        attribute(row.root, 'data-level', a.level);
      },
    );
  }

  show(): void {
    const alarms = sorted(this.studio.snapshot?.alarms ?? []);
    this.keyed.show(alarms, (a) => `${a.kind} ${a.seat}`);
    this.list.hidden = alarms.length === 0;
  }
}

export class Desk {
  private readonly air: Seats;
  private readonly green: Seats;
  private readonly programme: Programme;
  private readonly warnings: Alarms;
  readonly alarms: HTMLElement;
  readonly seats: HTMLElement;
  readonly levels: HTMLElement;

  constructor(private readonly studio: Studio) {
    const { api } = studio;
    const failed = (e: unknown): void => fail(studio, e);
    const others = (list: readonly string[], seat: string, on: boolean): string[] => [...list.filter((x) => x !== seat), ...(on ? [seat] : [])];
    const hands: Hands = {
      change: (seat, change) => api.speaker(seat, change).then(() => undefined, failed),
      cue: (seat, on) => void api.cue(others(studio.snapshot?.cue ?? [], seat, on)).catch(failed),
      talk: (seat, on) => void api.talkback({ seats: on ? [seat] : [] }).catch(failed),
      remove: (seat) => void api.remove(seat).catch(failed),
    };
    this.air = new Seats(t('on_air'), t('nobody_on_air'), '', 'onair', studio, hands);
    this.green = new Seats(t('green_room'), t('nobody_waits'), t('green_room_hint'), 'green', studio, hands);
    this.programme = new Programme(studio);
    this.warnings = new Alarms(studio);
    this.alarms = this.warnings.root;
    this.seats = h('div', { class: 'rooms' }, this.air.root, this.green.root);
    this.levels = this.programme.root;
  }

  show(): void {
    const { speakers } = this.studio.snapshot!;
    const focused = document.activeElement?.closest<HTMLElement>('.seat')?.dataset['seat'];
    this.air.show(speakers.filter((p) => p.on_air));
    this.green.show(speakers.filter((p) => !p.on_air));
    // Who was taken to the other room by the keyboard keeps the focus.
    if (focused && document.activeElement === document.body) (this.air.get(focused) ?? this.green.get(focused))?.focus();
    this.programme.show();
    this.warnings.show();
  }

  measure(): void {
    for (const { seat } of this.studio.snapshot?.speakers ?? []) {
      (this.air.get(seat) ?? this.green.get(seat))?.measure(this.studio.levels?.lanes[seat]);
    }
    this.programme.measure();
  }
}
