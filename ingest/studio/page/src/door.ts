// The door: microphone, level and music before one comes in.
import { attribute, h, Meter, say } from './dom';
import { newID } from './dialogs';
import { t } from './i18n';
import { advise, Microphone } from './microphone';
import { joinsOnAir, meterAt } from './place';
import type { Studio } from './studio';

/** Which microphone, and whether it is music. */
export class Choice {
  private readonly select: HTMLSelectElement;
  private readonly music: HTMLInputElement;
  readonly root: HTMLElement;
  private shown = '';

  constructor(private readonly studio: Studio) {
    const [id, musicID, hintID] = [newID(), newID(), newID()];
    this.select = h('select', { id, onchange: () => void studio.choose(this.select.value) });
    this.music = h('input', { id: musicID, type: 'checkbox', role: 'switch', 'aria-describedby': hintID, onchange: () => void studio.choose(studio.mic.device, this.music.checked) });
    this.root = h(
      'div',
      { class: 'choice' },
      h('div', { class: 'field' }, h('label', { for: id }, t('microphone')), this.select),
      h('div', { class: 'field check' }, this.music, h('label', { for: musicID }, t('music')), h('p', { id: hintID, class: 'hint' }, t('music_hint'))),
    );
  }

  show(): void {
    const { mic } = this.studio;
    const key = mic.devices.map((d) => `${d.deviceId} ${d.label}`).join('\n');
    if (key !== this.shown) {
      this.shown = key;
      this.select.replaceChildren(...mic.devices.map((d, i) => h('option', { value: d.deviceId }, d.label || `${t('microphone')} ${i + 1}`)));
    }
    if (this.select.value !== mic.device) this.select.value = mic.device;
    this.music.checked = this.studio.wantsMusic;
  }
}

export class Door {
  private readonly heading = h('h2', { tabindex: -1 });
  private readonly parted = h('p', { class: 'parted', role: 'status' });
  private readonly intro = h('p', {}, t('check_intro'));
  private readonly ask = h('p', { class: 'quiet' }, t('check_ask'));
  private readonly trouble = h('p', { class: 'wrong', role: 'alert' });
  private readonly allow = h('button', { type: 'button', class: 'big primary', onclick: () => this.open() });
  private readonly choice: Choice;
  private readonly meter = new Meter();
  private readonly advice = h('p', { class: 'advice', role: 'status' });
  private readonly check: HTMLElement;
  private readonly hint = h('p', { class: 'quiet' });
  private readonly join = h('button', { type: 'button', class: 'big primary join', onclick: () => this.studio.join() }, t('join'));
  private readonly listen = h('button', { type: 'button', class: 'big', onclick: () => this.listenOnly() }, t('listen_only'));
  readonly root: HTMLElement;

  constructor(private readonly studio: Studio) {
    this.choice = new Choice(studio);
    const label = h('p', { class: 'label' }, t('level'));
    this.check = h('div', { class: 'micheck' }, this.choice.root, h('div', { class: 'ownlevel' }, label, this.meter.root, this.advice));
    const buttons = h('div', { class: 'buttons' }, this.allow, this.join, this.listen);
    const headphones = h('p', { class: 'headphones' }, t('headphones'));
    this.root = h('section', { class: 'card door' }, this.heading, this.parted, this.intro, this.ask, this.trouble, this.check, headphones, this.hint, buttons);
    void Microphone.allowed().then((yes) => yes && !studio.parting && this.open());
  }

  private open(): void {
    void this.studio.choose(this.studio.mic.device);
  }

  private listenOnly(): void {
    this.studio.mic.stop();
    this.studio.join();
  }

  /** Where the focus goes when the door is there again. */
  focus(): void {
    this.heading.focus();
  }

  show(): void {
    const { studio } = this;
    const { mic, parting, snapshot } = studio;
    say(this.heading, t('hello', { name: snapshot?.me.name ?? '' }));
    say(this.parted, parting ? t(parting) : '');
    this.intro.hidden = parting !== null;
    this.ask.hidden = mic.open || mic.trouble !== null;
    say(this.trouble, mic.trouble ? t(mic.trouble) : '');
    say(this.allow, t(mic.trouble ? 'again' : 'check_allow'));
    this.allow.hidden = mic.open || mic.trouble === 'mic_insecure' || mic.trouble === 'mic_unsupported';
    this.check.hidden = !mic.open;
    this.join.hidden = !mic.open;
    this.join.disabled = !studio.connected;
    this.listen.hidden = !studio.host;
    const air = snapshot !== null && joinsOnAir(snapshot);
    say(this.hint, t(air ? 'join_air_hint' : studio.host ? 'join_host_hint' : 'join_hint'));
    attribute(this.hint, 'data-air', air);
    this.choice.show();
  }

  /** The level, ten times a second. */
  measure(): void {
    const { mic } = this.studio;
    if (!mic.open) return;
    const level = mic.level();
    this.meter.set(meterAt(level.rms), meterAt(level.peak));
    const advice = advise(mic.peaks);
    say(this.advice, t(advice));
    attribute(this.advice, 'data-advice', advice);
  }
}
