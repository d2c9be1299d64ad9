// The page's script: finds the elements, fits the words to the browser's
// language, and connects player and page.
import { choose, fill, languages, type Key, type Strings } from './i18n';
import { untilLoaded } from './load';
import { nothing, type Now } from './marks';
import { playNative } from './native';
import { Player, type Engine } from './player';
import type { Status } from './session';
import { initial, view, type State } from './states';

function find<E extends Element>(selector: string): E {
  const element = document.querySelector<E>(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return element;
}

/** The browser's own way for scripts to play media, if it has one. */
function mediaSource(): typeof MediaSource | undefined {
  const scope = window as { ManagedMediaSource?: typeof MediaSource; MediaSource?: typeof MediaSource };
  return scope.ManagedMediaSource ?? scope.MediaSource;
}

/** Whether the browser takes Opus in MP4; both spellings are in use. */
function takesOpus(): boolean {
  return ['opus', 'Opus'].some((name) => mediaSource()?.isTypeSupported(`audio/mp4; codecs="${name}"`) ?? false);
}

/**
 * Loads hls.js. Many browsers remember that a module did not load and never ask for
 * its address again (https://github.com/whatwg/html/issues/6768): so each try has its own.
 */
function loadEngine(tries: number): Promise<typeof import('./engine')> {
  return tries === 0 ? import('./engine') : import(`${find<HTMLLinkElement>('#engine').href}?${tries}`);
}

class Page {
  private readonly root = find<HTMLElement>('#player');
  private readonly audio = find<HTMLAudioElement>('#audio');
  private readonly button = find<HTMLButtonElement>('#toggle');
  private readonly volume = find<HTMLInputElement>('#volume');
  private readonly words: Strings;
  private readonly seconds: Intl.NumberFormat;
  private readonly names: Intl.ListFormat;
  private shownAt = -Infinity;
  private probe: number | undefined;
  private wake = (): void => undefined; // ends the rest before the engine is tried again

  constructor() {
    const language = choose(navigator.languages, document.documentElement.lang);
    this.words = languages[language] ?? languages['en']!;
    this.seconds = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    this.names = new Intl.ListFormat(language, { type: 'conjunction' });
    document.documentElement.lang = language;
    find<HTMLElement>('#controls').hidden = false;
    for (const element of document.querySelectorAll<HTMLElement>('[data-word]')) {
      element.textContent = this.words[element.dataset['word'] as Key];
    }
    this.show(initial, null);
  }

  async start(): Promise<void> {
    this.listenForVolume();
    const player = new Player({ audio: this.audio, station: this.root.dataset['name'] ?? '', changed: (state, status) => this.show(state, status) });
    this.listen(player);
    const engine = await this.engine(() => player.dispatch({ type: 'engine', engine: 'late' }));
    player.equip(engine);
    if (engine) void this.look(player, engine.hosts[0]?.[0] ?? '');
  }

  /** hls.js where it can play, else the browser itself, else nobody. */
  private async engine(failed: () => void): Promise<Engine | null> {
    if (mediaSource()) {
      const hls = await untilLoaded(loadEngine, failed, (ms) => this.rest(ms));
      if (hls.isSupported()) return { begin: hls.play, hosts: this.hosts(takesOpus()) };
    }
    return this.audio.canPlayType('application/vnd.apple.mpegurl') ? { begin: playNative, hosts: this.hosts(false) } : null;
  }

  /** The entry playlists: those beside the page, then those of the other hosts that carry the station. */
  private hosts(opus: boolean): string[][] {
    const { index = '', opus: better, hosts = '' } = this.root.dataset;
    const lists = opus && better ? [better, index] : [index];
    const others = hosts.split(' ').filter((h) => h !== '' && !location.href.startsWith(h));
    return ['', ...others].map((base) => lists.map((list) => base + list));
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      window.setTimeout(resolve, ms);
    });
  }

  private listen(player: Player): void {
    const hurry = (): void => {
      this.wake();
      player.hurry();
    };
    this.button.addEventListener('click', () => this.toggle(player));
    const mode = find<HTMLSelectElement>('#mode');
    mode.addEventListener('change', () => player.choose(mode.value === 'reliable'));
    document.addEventListener('keydown', (event) => this.key(event, player));
    window.addEventListener('online', () => {
      player.dispatch({ type: 'network', online: true });
      hurry();
    });
    window.addEventListener('offline', () => player.dispatch({ type: 'network', online: false }));
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) hurry();
    });
    this.offerMediaKeys(player);
  }

  // Space anywhere but on a control of its own; K only inside the player (WCAG 2.1.4).
  private key(event: KeyboardEvent, player: Player): void {
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
    const target = event.target as Element;
    const space = event.key === ' ' && !target.closest('button, a, input, select, summary');
    const k = event.key.toLowerCase() === 'k' && this.root.contains(target);
    if (!space && !k) return;
    event.preventDefault();
    this.toggle(player);
  }

  private toggle(player: Player): void {
    player.toggle();
    this.wake();
  }

  private offerMediaKeys(player: Player): void {
    if (!('mediaSession' in navigator)) return;
    const { title = '', station = '' } = this.root.dataset;
    navigator.mediaSession.metadata = new MediaMetadata({ title, artist: station });
    navigator.mediaSession.setActionHandler('play', () => player.play());
    navigator.mediaSession.setActionHandler('pause', () => player.pause());
    navigator.mediaSession.setActionHandler('stop', () => player.pause());
  }

  private listenForVolume(): void {
    const apply = (): void => {
      const percent = Math.round(100 * this.volume.valueAsNumber);
      this.audio.volume = this.volume.valueAsNumber;
      this.volume.setAttribute('aria-valuetext', fill(this.words.percent, { percent: String(percent) }));
    };
    // Where a page may not set the volume (iPhone) there is nothing to slide.
    this.audio.volume = 0.5;
    if (this.audio.volume !== 0.5) this.volume.closest<HTMLElement>('.volume')!.hidden = true;
    this.volume.addEventListener('input', apply);
    apply();
  }

  // Before the first press: is anything on air? Asked again only while it is not.
  private async look(player: Player, source: string): Promise<void> {
    window.clearTimeout(this.probe);
    const ask = (): Promise<Response | null> => fetch(source, { credentials: 'omit' }).catch(() => null);
    const answer = this.root.dataset['button'] === 'play' && !document.hidden ? await ask() : null;
    if (answer?.ok) player.dispatch({ type: 'station', station: 'present' });
    else if (answer?.status === 404) player.dispatch({ type: 'station', station: 'absent' });
    if (answer?.ok) return;
    this.probe = window.setTimeout(() => void this.look(player, source), 8000 + 4000 * Math.random());
  }

  private show(state: State, status: Status | null): void {
    const v = view(state);
    const { root, button } = this;
    this.say(v.sentence);
    button.disabled = v.phase === 'unsupported';
    root.dataset['sentence'] = v.sentence;
    root.dataset['phase'] = v.phase;
    root.dataset['dot'] = v.dot;
    if (root.dataset['button'] !== v.button) {
      root.dataset['button'] = v.button;
      button.setAttribute('aria-label', this.words[v.button]);
      if ('mediaSession' in navigator) {
        navigator.mediaSession.playbackState = v.button === 'pause' ? 'playing' : 'paused';
      }
    }
    this.showNow(v.showBehind ? (status?.now ?? nothing) : nothing);
    this.showBehind(v.showBehind ? (status?.latency ?? null) : null);
    this.tell(v.phase, state, status);
  }

  // Who speaks, else what it is called. Text only: it comes from outside.
  private showNow({ speakers, title }: Now): void {
    const element = find<HTMLElement>('#now');
    const names = this.names.format(speakers);
    const words = names ? fill(speakers.length === 1 ? this.words.speaks : this.words.speak, { names }) : title;
    if (element.textContent !== words) element.textContent = words;
  }

  private say(sentence: Key): void {
    const element = find<HTMLElement>('#state');
    const words = this.words[sentence];
    if (element.textContent !== words) element.textContent = words;
  }

  // Once a second: a figure that flickers cannot be read.
  private showBehind(latency: number | null): void {
    const element = find<HTMLElement>('#behind');
    const now = performance.now();
    if (latency === null) {
      element.hidden = true;
      this.shownAt = -Infinity;
      return;
    }
    if (now - this.shownAt < 1000) return;
    this.shownAt = now;
    element.hidden = false;
    element.textContent = fill(this.words.behind, { seconds: this.seconds.format(Math.max(0, latency)) });
  }

  /** For measuring: the same facts as an event, without anything global. */
  private tell(phase: string, state: State, status: Status | null): void {
    const detail = { phase, ...state, ...status, rate: this.audio.playbackRate };
    this.root.dispatchEvent(new CustomEvent('longwave:state', { bubbles: true, detail }));
  }
}

void new Page().start();
