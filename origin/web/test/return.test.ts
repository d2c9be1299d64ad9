// The return from a store to a quick pathway: when, and at what cost.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Return } from '../src/return';
import { split, Ways } from '../src/ways';

const entry = split(
  '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="aac-48",PATHWAY-ID="a"\nhttps://a.example/talk/aac-48/live.m3u8\n',
  'https://a.example/talk/index.m3u8',
);
const live = 'https://a.example/talk/aac-48/live.m3u8';
const store = 'https://s.example/talk/';

/** A listener who hears the store, and a quick pathway that fails in some way until wellAt. */
class World {
  now = 0;
  asked: number[] = [];
  wellAt = Infinity;
  sick = (): string | null => null; // the playlist while it is not well
  media = 'moov';
  readonly ways: Ways;
  readonly back: Return;

  constructor(seed: number) {
    let state = seed;
    const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
    this.ways = new Ways(random);
    this.ways.set(entry, [store]);
    this.ways.listed('a', true, -10_000);
    this.ways.listed(store, false, -5000);
    this.back = new Return({ ways: this.ways, name: 'talk', random, now: () => this.now, read: (url) => this.read(url) });
    this.back.start(live);
  }

  private async read(url: string): Promise<Response | null> {
    if (url.endsWith('.m4s')) return new Response(Uint8Array.from([0, 0, 0, 8, ...Buffer.from(this.media)]));
    this.asked.push(this.now);
    if (this.now >= this.wellAt) return new Response(playlist(this.now));
    const text = this.sick();
    return text === null ? null : new Response(text);
  }

  /** Passes time until the return; the seconds, or null. */
  async pass(seconds: number): Promise<number | null> {
    for (let i = 0; i < 10 * seconds; i++) {
      this.now += 100;
      mock.timers.tick(100);
      await new Promise((resolve) => setImmediate(resolve));
      if (this.ways.routes(live, this.now)[0]?.way === 'a') return this.now / 1000;
    }
    return null;
  }
}

const playlist = (now: number): string =>
  `#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-MEDIA-SEQUENCE:${Math.floor(now / 1920)}\n#EXTINF:1.92,\n7.m4s\n#EXT-X-PART:DURATION=0.32,URI="8.0.m4s"\n`;

function scene(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      await run();
    } finally {
      mock.timers.reset();
    }
  });
}

scene('listeners return one after another, all within a minute', async () => {
  const times: number[] = [];
  for (let seed = 1; seed <= 60; seed++) {
    const world = new World(7919 * seed);
    world.wellAt = 20_000;
    const at = await world.pass(90);
    assert.ok(at !== null, 'returned');
    times.push(at - 20);
  }
  times.sort((a, b) => a - b);
  assert.ok(times[0]! > 4 && times.at(-1)! < 58, `${times[0]} to ${times.at(-1)} s`);
  const most = Math.max(...times.map((t) => times.filter((u) => u >= t && u < t + 5).length));
  assert.ok(most < times.length / 2.5, `${most} of ${times.length} in five seconds`);
});

scene('a pathway that is not there costs few requests, for ever', async () => {
  const world = new World(5);
  assert.equal(await world.pass(600), null);
  const minute = world.asked.length / 10;
  assert.ok(minute > 4 && minute < 8, `${minute} requests a minute`);
});

const sick: Record<string, () => string> = {
  frozen: () => playlist(1920),
  plain: () => '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:1.92,\n7.m4s\n',
  'a page': () => '<!doctype html>',
  ended: () => `${playlist(0)}#EXT-X-ENDLIST\n`,
};
for (const [name, text] of Object.entries(sick)) {
  scene(`nobody returns to what is ${name}`, async () => {
    const world = new World(6);
    world.sick = text;
    assert.equal(await world.pass(120), null);
    world.wellAt = world.now;
    assert.ok((await world.pass(60)) !== null);
  });
}

scene('nobody returns to the playlists of a pathway whose media is something else', async () => {
  const world = new World(8);
  world.wellAt = 0;
  world.media = '<htm';
  assert.equal(await world.pass(120), null);
});

scene('one that comes and goes is not returned to', async () => {
  const world = new World(9);
  let on = true;
  world.sick = () => (on ? playlist(world.now) : '');
  for (let i = 0; i < 40; i++) {
    on = !on;
    assert.equal(await world.pass(4), null);
  }
});

scene('an end is an end', async () => {
  const world = new World(10);
  await world.pass(10);
  world.back.stop();
  const before = world.asked.length;
  await world.pass(60);
  assert.equal(world.asked.length, before);
});
