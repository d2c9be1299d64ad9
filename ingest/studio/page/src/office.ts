// Around the broadcast: links, schedule, what happened.
import type { Broadcast, Link, News } from './api';
import { confirm, copyButton, copyRow, named, newBroadcast, newLink } from './dialogs';
import { attribute, h, Keyed, say } from './dom';
import { fail } from './frame';
import { clockTime, dayTime, t } from './i18n';
import type { Studio } from './studio';

interface Item {
  root: HTMLElement;
  title: HTMLElement;
  detail: HTMLElement;
}

function item(...buttons: HTMLElement[]): Item {
  const title = h('strong', {});
  const detail = h('span', { class: 'quiet' });
  return { root: h('li', { class: 'item' }, h('div', {}, title, detail), h('div', { class: 'buttons' }, ...buttons)), title, detail };
}

/** How many bytes of a name a token of this station can carry: it has room for 26 with the station and a zero. */
const nameRoom = (station: string): number => 25 - new TextEncoder().encode(station).length;

class Links {
  private readonly audience = h('div', {});
  private readonly list = h('ul', {});
  private readonly once = h('p', { class: 'hint' }, t('links_once'));
  private readonly keyed: Keyed<Link, Item & { copy: HTMLElement }>;
  readonly root: HTMLElement;
  private links: Link[] = [];
  private readonly urls = new Map<string, string>(); // made here, by id: nobody tells them twice

  constructor(private readonly studio: Studio) {
    this.keyed = new Keyed<Link, Item & { copy: HTMLElement }>(
      this.list,
      (l) => {
        const copy = copyButton(l.name, () => this.urls.get(l.id) ?? '');
        const withdraw = h('button', { type: 'button', class: 'plain', 'aria-label': t('for_name', { what: t('withdraw'), name: l.name }), onclick: () => void this.revoke(l) }, t('withdraw'));
        return { ...item(copy, withdraw), copy };
      },
      (row, l) => {
        say(row.title, l.name);
        say(row.detail, `${t(l.role === 'host' ? 'role_host' : 'role_speaker')}, ${l.expires ? t('valid_until', { time: dayTime(Date.parse(l.expires)) }) : t('valid_always')}`);
        row.copy.hidden = !this.urls.has(l.id);
      },
    );
    const make = h('button', { type: 'button', class: 'wide', onclick: () => void this.make() }, t('new_link'));
    this.root = h('section', { class: 'card links' }, h('h2', {}, t('links')), this.audience, this.list, this.once, make);
  }

  async load(): Promise<void> {
    this.links = (await this.studio.api.links()).filter((l) => !l.revoked);
    this.show();
  }

  private async make(): Promise<void> {
    const made = await newLink(nameRoom(this.studio.station), this.studio.twins.map((twin) => twin.api.origin), (l) => this.studio.api.link(l));
    if (!made) return;
    if (made.url) this.urls.set(made.id, made.url);
    await this.load().catch((e: unknown) => fail(this.studio, e));
  }

  private async revoke(l: Link): Promise<void> {
    if (!(await confirm(t('withdraw_link_sure', { name: l.name }), t('withdraw_link_do'), t('withdraw'), t('cancel')))) return;
    await this.studio.api.revoke(l.id).then(() => this.load()).catch((e: unknown) => fail(this.studio, e));
  }

  show(): void {
    const url = this.studio.snapshot?.links.audience ?? '';
    if (this.audience.dataset['url'] !== url) {
      this.audience.dataset['url'] = url;
      this.audience.replaceChildren(...(url ? [copyRow(t('audience_link'), url)] : []));
    }
    this.keyed.show(this.links, (l) => l.id);
    this.list.hidden = this.links.length === 0;
    this.once.hidden = this.urls.size === 0;
  }
}

class Schedule {
  private readonly list = h('ul', {});
  private readonly empty = h('p', { class: 'quiet' }, t('schedule_none'));
  private readonly keyed: Keyed<Broadcast, Item>;
  readonly root: HTMLElement;
  private announced: Broadcast[] = [];

  constructor(private readonly studio: Studio) {
    this.keyed = new Keyed<Broadcast, Item>(
      this.list,
      (b) => item(h('button', { type: 'button', class: 'plain', 'aria-label': t('for_name', { what: t('withdraw'), name: b.title }), onclick: () => void this.withdraw(b) }, t('withdraw'))),
      (row, b) => {
        say(row.title, b.title);
        say(row.detail, b.start ? dayTime(Date.parse(b.start)) : '');
      },
    );
    const announce = h('button', { type: 'button', class: 'wide', onclick: () => void this.announce() }, t('announce'));
    this.root = h('section', { class: 'card schedule' }, h('h2', {}, t('schedule')), this.list, this.empty, announce);
  }

  async load(): Promise<void> {
    const all = await this.studio.api.broadcasts();
    const ahead = all.filter((b) => b.state === 'scheduled' || b.state === 'doors');
    this.announced = ahead.sort((a, b) => (a.start ?? '').localeCompare(b.start ?? ''));
    this.show();
  }

  private async announce(): Promise<void> {
    if (await newBroadcast((b) => this.studio.api.announce(b))) await this.load().catch((e: unknown) => fail(this.studio, e));
  }

  private async withdraw(b: Broadcast): Promise<void> {
    if (!(await confirm(t('withdraw_broadcast_sure', { name: b.title }), t('withdraw_broadcast_do'), t('withdraw'), t('cancel')))) return;
    await this.studio.api.withdraw(b.id).then(() => this.load()).catch((e: unknown) => fail(this.studio, e));
  }

  show(): void {
    this.keyed.show(this.announced, (b) => b.id);
    this.list.hidden = this.announced.length === 0;
    this.empty.hidden = this.announced.length > 0;
  }
}

class Journal {
  private readonly list = h('ol', {});
  private readonly empty = h('p', { class: 'quiet' }, t('news_none'));
  private readonly keyed: Keyed<News, { root: HTMLElement; time: HTMLElement; text: HTMLElement }>;
  readonly root: HTMLElement;

  constructor(private readonly studio: Studio) {
    this.keyed = new Keyed<News, { root: HTMLElement; time: HTMLElement; text: HTMLElement }>(
      this.list,
      () => {
        const [time, text] = [h('span', { class: 'quiet' }), h('span', {})];
        return { root: h('li', {}, time, ' ', text), time, text };
      },
      (row, n) => {
        say(row.time, clockTime(Date.parse(n.time), true));
        if (row.text.textContent === '') say(row.text, this.words(n));
      },
    );
    this.root = h('section', { class: 'card news' }, h('h2', {}, t('news')), this.list, this.empty);
  }

  /** The name is taken when the news comes: later the seat may be another's. */
  private words(n: News): string {
    const name = this.studio.snapshot?.speakers.find((p) => p.seat === n.seat)?.name || n.text;
    if (n.kind === 'dead_air' && n.text === 'sounding') return t('news_sound');
    if (n.kind === 'hold') return t(n.text === 'off' ? 'news_hold_off' : 'news_hold');
    return named('news', n.kind, name, n.text);
  }

  show(): void {
    const shown = this.studio.news.slice(0, 12);
    this.keyed.show(shown, (n) => n.id || n.time + n.kind);
    this.empty.hidden = shown.length > 0;
    attribute(this.list, 'hidden', shown.length === 0);
  }
}

export class Office {
  private readonly links: Links;
  private readonly schedule: Schedule;
  private readonly journal: Journal;
  readonly root: HTMLElement;
  private loaded = '';

  constructor(private readonly studio: Studio) {
    this.links = new Links(studio);
    this.schedule = new Schedule(studio);
    this.journal = new Journal(studio);
    this.root = h('div', { class: 'office' }, this.links.root, this.schedule.root, this.journal.root);
  }

  show(): void {
    const { snapshot, connected } = this.studio;
    // Again after each connection and whenever the broadcast is another one.
    const key = [connected, snapshot?.phase, snapshot?.broadcast?.id, snapshot?.next?.id, snapshot?.record].join(' ');
    if (key !== this.loaded && connected) {
      void Promise.all([this.links.load(), this.schedule.load()]).catch((e: unknown) => fail(this.studio, e));
    }
    this.loaded = key;
    this.links.show();
    this.schedule.show();
    this.journal.show();
  }
}
