// Brings a session that fell to plain pathways back to the quick ones. It looks at their
// playlists, as rarely as a listener can afford who has sound: an origin that has just come
// back must not meet its whole audience at once.
import { edgeOf, isOurs, position } from './inspect';
import type { Route, Ways } from './ways';

/** Between looks at pathways that are not well, and at one whose edge is seen moving, in milliseconds: the least, and as much again at most. */
const REST_MS = 5000;
const STEP_MS = 2500;
/** Listeners return one after another within this time. */
const SPREAD_MS = 22_000;

export interface Scene {
  readonly ways: Ways;
  /** The station's name, on its media. */
  readonly name: string;
  /** Reads an address; null when that does not succeed. */
  readonly read: (url: string) => Promise<Response | null>;
  readonly random: () => number;
  readonly now: () => number;
}

export class Return {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private playlist: string | null = null;
  private way: string | null = null; // the pathway that is looked at
  private seen = -1; // its edge
  private steps = 0; // how often that was seen moving

  constructor(private readonly scene: Scene) {}

  /** Begins to look, at the playlist with this address, unless that is done already. */
  start(playlist: string): void {
    if (this.playlist !== null) return;
    this.playlist = playlist;
    this.again();
    this.rest(REST_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.playlist = null;
  }

  private again(): void {
    this.way = null;
    this.steps = 0;
  }

  private rest(ms: number): void {
    this.timer = setTimeout(() => void this.look(), ms * (1 + this.scene.random()));
  }

  private async look(): Promise<void> {
    const { ways, now, random } = this.scene;
    const playlist = this.playlist;
    if (playlist === null) return;
    const found = await this.find(ways.lookouts(playlist, now()));
    if (this.playlist !== playlist) return;
    if (!found) this.again();
    if (this.steps < ways.steps) return this.rest(found ? STEP_MS : REST_MS);
    const way = this.way;
    this.again();
    this.timer = setTimeout(() => this.go(way), SPREAD_MS * random());
  }

  // Whether it is well the next playlist shows: until that is there nothing is given up.
  private go(way: string | null): void {
    const { ways, now } = this.scene;
    ways.rise(way, now());
    if (this.playlist !== null) this.rest(REST_MS);
  }

  /** Looks for a pathway that is quick and whose edge moves; notes how often it has. */
  private async find(routes: readonly Route[]): Promise<boolean> {
    for (const { way, url } of routes) {
      const answer = await this.scene.read(url);
      const text = answer && (await answer.text().catch(() => ''));
      const edge = text ? edgeOf(text) : null;
      if (!text || !edge?.blocks || edge.ended) continue;
      const at = position(edge);
      if (way === this.way && at <= this.seen) continue;
      this.steps = way === this.way ? this.steps + 1 : 0;
      this.way = way;
      this.seen = at;
      // Media is looked at once, before the return.
      return this.steps < this.scene.ways.steps || this.ours(text, url);
    }
    return false;
  }

  private async ours(playlist: string, url: string): Promise<boolean> {
    const parts = [...playlist.matchAll(/^#EXT-X-PART:.*URI="([^"]+)"/gm)];
    const uri = parts.at(-1)?.[1];
    const answer = uri === undefined ? null : await this.scene.read(new URL(uri, url).href);
    const bytes = answer && (await answer.arrayBuffer().catch(() => null));
    return bytes !== null && isOurs(bytes, this.scene.name);
  }
}
