// Me, once I am in: my level, mute, leave, another microphone.
import { confirm } from './dialogs';
import { Choice } from './door';
import { attribute, h, Meter, say } from './dom';
import { t } from './i18n';
import { isOnAir, meterAt, place } from './place';
import type { Studio } from './studio';

export class Own {
  private readonly heading = h('h2', { tabindex: -1 }, t('you'));
  private readonly meter = new Meter();
  private readonly trouble = h('p', { class: 'wrong', role: 'alert' });
  private readonly mute = h('button', { type: 'button', class: 'big mute', onclick: () => this.studio.mute(!this.studio.muted) });
  private readonly leave = h('button', { type: 'button', class: 'big', onclick: () => void this.go() }, t('leave'));
  private readonly choice: Choice;
  private readonly device: HTMLElement;
  readonly root: HTMLElement;

  constructor(private readonly studio: Studio) {
    this.choice = new Choice(studio);
    this.device = h('details', {}, h('summary', {}, t('microphone')), this.choice.root, h('p', { class: 'headphones' }, t('headphones')));
    const buttons = h('div', { class: 'buttons' }, this.mute, this.leave);
    this.root = h('section', { class: 'card own' }, this.heading, this.meter.root, this.trouble, buttons, this.device);
  }

  focus(): void {
    this.heading.focus();
  }

  private async go(): Promise<void> {
    const { snapshot } = this.studio;
    const sure = !snapshot || !isOnAir(place(snapshot)) || (await confirm(t('leave_sure'), t('leave_sure_do'), t('leave'), t('stay')));
    if (sure) this.studio.leave('parted_left');
  }

  show(): void {
    const { studio } = this;
    const { mic } = studio;
    const voice = mic.open;
    say(this.trouble, mic.trouble ? t(mic.trouble) : '');
    this.meter.root.hidden = !voice;
    this.mute.hidden = !voice;
    say(this.mute, t(studio.muted ? 'unmute' : 'mute'));
    attribute(this.root, 'data-muted', studio.muted);
    this.device.hidden = !voice && mic.trouble === null;
    this.choice.show();
  }

  measure(): void {
    if (!this.studio.mic.open) return;
    const level = this.studio.mic.level();
    this.meter.set(meterAt(level.rms), meterAt(level.peak));
  }
}
