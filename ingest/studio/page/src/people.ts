// Who is there, as a speaker sees it: names, and who speaks.
import type { Speaker } from './api';
import { attribute, h, Keyed, say } from './dom';
import { t } from './i18n';
import type { Studio } from './studio';

interface Row {
  root: HTMLElement;
  name: HTMLElement;
  state: HTMLElement;
}

function makeRow(): Row {
  const name = h('span', { class: 'name' });
  const state = h('span', { class: 'state' });
  return { root: h('li', { class: 'person' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), h('div', {}, name, state)), name, state };
}

/** A list of people with a heading, and a sentence when it is empty. */
class List {
  private readonly list = h('ul', {});
  private readonly empty: HTMLElement;
  private readonly keyed: Keyed<Speaker, Row>;
  readonly root: HTMLElement;

  constructor(heading: string, empty: string, update: (row: Row, p: Speaker) => void) {
    this.empty = h('p', { class: 'quiet' }, empty);
    this.keyed = new Keyed<Speaker, Row>(this.list, makeRow, update);
    this.root = h('section', { class: 'card people' }, h('h2', {}, heading), this.list, this.empty);
  }

  show(people: readonly Speaker[]): void {
    this.keyed.show(people, (p) => p.seat);
    this.list.hidden = people.length === 0;
    this.empty.hidden = people.length > 0;
  }
}

export class People {
  private readonly air: List;
  private readonly green: List;
  readonly root: HTMLElement;

  constructor(private readonly studio: Studio) {
    const update = (row: Row, p: Speaker): void => this.update(row, p);
    this.air = new List(t('on_air'), t('nobody_on_air'), update);
    this.green = new List(t('green_room'), t('nobody_waits'), update);
    this.root = h('div', { class: 'lists' }, this.air.root, this.green.root);
  }

  private update(row: Row, p: Speaker): void {
    const own = p.seat === this.studio.snapshot?.me.seat;
    const speaking = this.studio.levels?.lanes[p.seat]?.speaking ?? p.speaking;
    say(row.name, own ? `${p.name} (${t('self')})` : p.name);
    say(row.state, t(!p.connected ? 'away' : p.muted ? 'muted' : 'speaks'));
    row.state.hidden = p.connected && !p.muted && !speaking;
    attribute(row.root, 'data-speaking', speaking && p.connected && !p.muted);
    attribute(row.root, 'data-away', !p.connected);
  }

  show(): void {
    const people = this.studio.snapshot?.speakers ?? [];
    this.air.show(people.filter((p) => p.on_air));
    this.green.show(people.filter((p) => !p.on_air));
  }
}
