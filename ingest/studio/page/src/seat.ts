// One speaker at the host's desk: level, fader, mute, air, cue, talk, remove.
import type { LaneLevels, Speaker } from './api';
import { confirm, newID } from './dialogs';
import { attribute, h, Meter, say } from './dom';
import { decibels, t, type Key } from './i18n';
import { meterAt } from './place';

/** What the desk does with a speaker. */
export interface Hands {
  change(seat: string, change: { on_air?: boolean; muted?: boolean; gain_db?: number }): Promise<void>;
  cue(seat: string, on: boolean): void;
  talk(seat: string, on: boolean): void;
  remove(seat: string): void;
}

/** How long a fader's own position holds against what the server says, and how often it is sent, in ms. */
const ownHold = 1000;
const sendEvery = 100;

/** A press shorter than this, in ms, stays pressed. */
const tap = 350;

/** A button to hold for talking, or to click to keep talking; with the keyboard it toggles. */
export function talkButton(words: string, set: (on: boolean) => void): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'talk', 'aria-pressed': 'false', title: t('talk_hint') }, words);
  let pressedAt: number | null = null; // by a pointer, while it was off
  let handled = false; // the click that follows a pointer's press is that press
  const on = (): boolean => button.getAttribute('aria-pressed') === 'true';
  const turn = (to: boolean): void => {
    attribute(button, 'aria-pressed', String(to));
    set(to);
  };
  button.addEventListener('pointerdown', (e) => {
    if (e.button !== 0 || button.disabled) return;
    handled = true;
    if (on()) return turn(false);
    pressedAt = performance.now();
    button.setPointerCapture(e.pointerId);
    turn(true);
  });
  const release = (): void => {
    if (pressedAt !== null && performance.now() - pressedAt > tap && on()) turn(false);
    pressedAt = null;
  };
  button.addEventListener('pointerup', release);
  button.addEventListener('pointercancel', release);
  button.addEventListener('click', () => {
    if (!handled) turn(!on());
    handled = false;
  });
  return button;
}

export class Seat {
  private readonly name = h('h3', {});
  private readonly tags = h('p', { class: 'tags' });
  private readonly meter = new Meter();
  private readonly fader: HTMLInputElement;
  private readonly gain = h('output', {});
  private readonly mute: HTMLButtonElement;
  private readonly air: HTMLButtonElement;
  private readonly cue: HTMLButtonElement;
  private readonly talk: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  readonly root: HTMLElement;
  private speaker: Speaker;
  private movedAt = -Infinity;
  private sending = false;

  constructor(
    speaker: Speaker,
    private readonly hands: Hands,
  ) {
    this.speaker = speaker;
    const { seat } = speaker;
    const id = newID();
    const toggle = (e: HTMLButtonElement): boolean => e.getAttribute('aria-pressed') !== 'true';
    this.fader = h('input', { id, type: 'range', min: -60, max: 12, step: 0.5, oninput: () => this.moved(), ondblclick: () => this.reset() });
    this.mute = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => void hands.change(seat, { muted: toggle(this.mute) }) }, t('mute'));
    this.air = h('button', { type: 'button', class: 'air', onclick: () => void hands.change(seat, { on_air: !this.speaker.on_air }) });
    this.cue = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => hands.cue(seat, toggle(this.cue)) }, t('cue'));
    this.talk = talkButton(t('talk'), (on) => hands.talk(seat, on));
    this.remove = h('button', { type: 'button', class: 'plain', onclick: () => void this.sure() }, t('remove'));
    const label = h('label', { for: id, class: 'vh' }, t('for_name', { what: t('fader'), name: speaker.name }));
    const buttons = h('div', { class: 'buttons' }, this.air, this.mute, this.cue, this.talk);
    const head = h('div', { class: 'head' }, h('div', {}, this.name, this.tags), this.remove);
    this.root = h('li', { class: 'seat', 'data-seat': seat }, head, this.meter.root, h('div', { class: 'fader' }, label, this.fader, this.gain), buttons);
  }

  private moved(): void {
    this.movedAt = performance.now();
    this.showGain(this.fader.valueAsNumber);
    if (!this.sending) void this.send();
  }

  /** Sends where the fader is until it rests: one at a time, so that the last one is the last. */
  private async send(): Promise<void> {
    this.sending = true;
    for (let sent = NaN; sent !== this.fader.valueAsNumber; ) {
      sent = this.fader.valueAsNumber;
      await this.hands.change(this.speaker.seat, { gain_db: sent });
      this.movedAt = performance.now();
      await new Promise((resolve) => setTimeout(resolve, sendEvery));
    }
    this.sending = false;
  }

  private reset(): void {
    this.fader.value = '0';
    this.moved();
  }

  private showGain(db: number): void {
    const text = t('decibels', { db: decibels(db, db % 1 === 0 ? 0 : 1) });
    say(this.gain, text);
    attribute(this.fader, 'aria-valuetext', text);
  }

  private async sure(): Promise<void> {
    const { name, seat } = this.speaker;
    if (await confirm(t('remove_sure', { name }), t('remove_sure_do', { name }), t('remove'), t('cancel'))) this.hands.remove(seat);
  }

  /** Shows a speaker to the host, whose own seat is host; undefined before they joined. */
  show(p: Speaker, host: Speaker | undefined, cued: boolean, talked: boolean): void {
    const own = p.seat === host?.seat;
    this.speaker = p;
    say(this.name, own ? `${p.name} (${t('self')})` : p.name);
    say(this.tags, this.words(p).join(' · '));
    attribute(this.root, 'data-away', !p.connected);
    attribute(this.root, 'data-muted', p.muted);
    if (!this.sending && performance.now() - this.movedAt > ownHold) {
      if (this.fader.valueAsNumber !== p.gain_db) this.fader.value = String(p.gain_db);
      this.showGain(p.gain_db);
    }
    attribute(this.mute, 'aria-pressed', String(p.muted));
    attribute(this.cue, 'aria-pressed', String(cued));
    attribute(this.talk, 'aria-pressed', String(talked));
    attribute(this.air, 'data-to', p.on_air ? 'green' : 'air');
    say(this.air, t(p.on_air ? 'to_green_room' : 'take_on_air'));
    // Who is on air is heard anyhow; nobody listens or talks to themselves.
    this.cue.hidden = own || p.on_air;
    this.talk.hidden = own;
    // Whoever is not there hears nobody and is heard by nobody.
    this.cue.disabled = !host && !cued;
    this.talk.disabled = (!p.connected || !host?.connected) && !talked;
    this.remove.hidden = own;
    this.label(this.mute, 'mute');
    this.label(this.cue, 'cue');
    this.label(this.talk, 'talk');
    this.label(this.remove, 'remove');
    this.label(this.air, p.on_air ? 'to_green_room' : 'take_on_air');
  }

  private label(button: HTMLButtonElement, what: Key): void {
    attribute(button, 'aria-label', t('for_name', { what: t(what), name: this.speaker.name }));
  }

  private words(p: Speaker): string[] {
    const words: string[] = [];
    if (!p.connected) words.push(t('away'));
    if (p.role === 'host') words.push(t('tag_host'));
    if (p.feed) words.push(t('tag_feed'));
    else if (p.music) words.push(t('tag_music'));
    if (p.transport && p.transport !== 'whip') words.push(p.transport.toUpperCase());
    return words;
  }

  focus(): void {
    this.air.focus();
  }

  measure(l: LaneLevels | undefined): void {
    this.meter.set(meterAt(l?.rms), meterAt(l?.peak));
    attribute(this.root, 'data-speaking', l?.speaking === true && !this.speaker.muted);
    attribute(this.root, 'data-fill', l?.fill ?? 'silent');
  }
}
