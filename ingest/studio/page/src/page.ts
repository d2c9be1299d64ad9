// The page's script: reads the key in the address, opens the studio and shows it.
import { API, type Refusal } from './api';
import { Desk } from './desk';
import { Door } from './door';
import { attribute, h } from './dom';
import { Frame } from './frame';
import { language, t } from './i18n';
import { Office } from './office';
import { Own } from './own';
import { People } from './people';
import { Studio } from './studio';

/** The part of a view that the page moves. */
interface View {
  root: HTMLElement;
  show(): void;
  measure(): void;
  focus(): void;
}

const root = document.querySelector<HTMLElement>('#studio')!;
const { station = '', title = '' } = root.dataset;
const twins = (root.dataset['twins'] ?? '').split(' ').filter((origin) => origin !== '' && origin !== location.origin);

/** A page in words with what to do, instead of the studio. */
function gate(why: Refusal | 'none'): void {
  const again = h('button', { type: 'button', class: 'big', onclick: () => location.reload() }, t('again'));
  const heading = h('h1', { tabindex: -1 }, t(`gate_${why}`));
  root.replaceChildren(h('main', { class: 'gate' }, h('p', { class: 'station' }, `${title} · ${t('studio')}`), heading, h('p', {}, t(`gate_${why}_do`)), h('div', { class: 'buttons' }, again)));
  document.title = `${t(`gate_${why}`)} · ${t('studio')}`;
  attribute(document.body, 'data-air', false);
  attribute(document.body, 'data-talk', false);
  heading.focus();
}

class Page {
  private readonly studio: Studio;
  private readonly frame: Frame;
  private readonly own = h('div', { class: 'ownplace' });
  private view: View | null = null;
  private desk: Desk | null = null;
  private office: Office | null = null;
  private people: People | null = null;
  private due = false;
  private closed = false;

  constructor(token: string) {
    const places = [location.origin, ...twins].map((origin) => ({ api: new API(station, token, origin), audio: h('audio', { autoplay: true, hidden: true }) }));
    this.studio = new Studio(station, places, () => this.soon(), () => this.measured());
    this.frame = new Frame(this.studio, title);
    this.frame.body.append(h('p', { class: 'quiet opening' }, t('loading')));
    root.replaceChildren(this.frame.root, ...places.map(({ audio }) => audio));
    this.frame.show();
    this.studio.start();
    setInterval(() => this.frame.tick(), 250);
    setInterval(() => {
      if (!document.hidden) this.view?.measure();
    }, 100);
    // A click anywhere is what a browser asks for before it plays.
    document.addEventListener('click', () => {
      this.studio.mic.wake();
      if (this.studio.notice?.key !== 'play_blocked') return;
      void this.studio.play().then(() => {
        this.studio.notice = null;
        this.soon();
      });
    });
    window.addEventListener('beforeunload', (e) => {
      if (document.body.hasAttribute('data-air') && !this.closed) e.preventDefault();
    });
  }

  /** Shows what is new once, however much of it there is. */
  private soon(): void {
    if (this.due) return;
    this.due = true;
    setTimeout(() => {
      this.due = false;
      if (!this.closed) this.show();
    }, 20);
  }

  private show(): void {
    const { studio } = this;
    if (studio.refused) {
      this.closed = true;
      return gate(studio.refused);
    }
    this.frame.show();
    if (!studio.snapshot) return;
    if (!this.people && !this.desk) this.furnish();
    this.turn();
    this.view!.show();
    this.desk?.show();
    this.office?.show();
    this.people?.show();
  }

  /** Builds what host or speaker needs, once. */
  private furnish(): void {
    const { body } = this.frame;
    attribute(root, 'data-role', this.studio.host ? 'host' : 'speaker');
    if (this.studio.host) {
      this.desk = new Desk(this.studio);
      this.office = new Office(this.studio);
      body.replaceChildren(this.desk.alarms, h('div', { class: 'deskgrid' }, this.own, this.desk.seats, this.desk.levels), this.office.root);
    } else {
      this.people = new People(this.studio);
      body.replaceChildren(this.own, this.people.root);
    }
  }

  /** Door or seat; whoever used the keyboard goes on where they were. */
  private turn(): void {
    const inside = this.view instanceof Own;
    if (this.view && inside === this.studio.joined) return;
    const first = this.view === null;
    this.view = this.studio.joined ? new Own(this.studio) : new Door(this.studio);
    this.own.replaceChildren(this.view.root);
    attribute(root, 'data-joined', this.studio.joined);
    this.view.show();
    if (!first) this.view.focus();
  }

  private measured(): void {
    if (document.hidden || !this.studio.snapshot) return;
    this.desk?.measure();
    this.people?.show();
  }
}

document.documentElement.lang = language;
// The key stays in the address: a reload needs it, and a fragment is sent to nobody.
const token = location.hash.slice(1);
window.addEventListener('hashchange', () => location.reload());
if (token === '') gate('none');
else if (/^[\w.~-]+$/.test(token)) new Page(token);
else gate('unauthorized');
