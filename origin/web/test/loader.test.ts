// What becomes of one request of hls.js: which pathways are asked, when, and whose answer counts.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import Hls, { type HlsConfig, type Loader, type LoaderCallbacks, type LoaderConfiguration, type LoaderContext } from 'hls.js';
import { crc32 } from '../src/inspect';
import { loaderFor } from '../src/loader';
import { GRACE_MS, split, Ways } from '../src/ways';

type Host = 'a' | 'b' | 's';
type Answer = string | ArrayBuffer | number; // a body, or a status
interface Way {
  readonly afterMs: number;
  readonly answer: Answer;
  /** The first byte comes so much earlier. */
  readonly headMs?: number;
}

const stats = (): Loader<LoaderContext>['stats'] =>
  ({ aborted: false, loaded: 0, total: 0, retry: 0, chunkCount: 0, bwEstimate: 0, loading: { start: 0, first: 0, end: 0 }, parsing: { start: 0, end: 0 }, buffering: { start: 0, first: 0, end: 0 } }) as unknown as Loader<LoaderContext>['stats'];

let world: World;

/** The line of a listener to two CDNs, quick, and a store. */
class World {
  ways = new Ways(() => 0);
  line: Partial<Record<Host, Way>> = {};
  asked: string[] = [];
  aborted: string[] = [];
  result = '';

  constructor(begun = true) {
    const lines = ['a', 'b'].map((h) => `#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="x",PATHWAY-ID="${h}"\nhttps://${h}.example/talk/x/live.m3u8\n`);
    this.ways.set(split(`#EXTM3U\n${lines.join('')}`, 'https://a.example/talk/index.m3u8'), ['https://s.example/talk/']);
    this.ways.part = 0.32;
    this.ways.roundTripMs = 20;
    if (begun) this.ways.listed('a', true, performance.now());
  }

  load(file: string): void {
    const Made = loaderFor({ name: 'talk', ways: this.ways, entered: () => undefined });
    const loader = new Made({} as HlsConfig);
    const context = { url: `https://a.example/talk/x/${file}`, responseType: 'text', type: 'level' } as unknown as LoaderContext;
    loader.load(context, { loadPolicy: { maxTimeToFirstByteMs: 800 } } as unknown as LoaderConfiguration, {
      onSuccess: ({ data }) => void (this.result = typeof data === 'string' ? data : 'media'),
      onError: ({ code }) => void (this.result = `error ${code}`),
      onTimeout: () => void (this.result = 'timeout'),
    });
  }
}

/** In the place of hls.js's own loader. */
class Fake implements Loader<LoaderContext> {
  context = null;
  stats = stats();
  private readonly timers: ReturnType<typeof setTimeout>[] = [];
  private host: Host = 'a';
  private over = false;

  load(context: LoaderContext, { loadPolicy }: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
    this.host = new URL(context.url).host[0] as Host;
    world.asked.push(`${this.host} ${performance.now()}`);
    const limit = (loadPolicy as unknown as { maxTimeToFirstByteMs: number }).maxTimeToFirstByteMs;
    const way = world.line[this.host] ?? { afterMs: Infinity, answer: 0 };
    const first = way.afterMs - (way.headMs ?? 0);
    const at = (ms: number, deed: () => void): void => void this.timers.push(setTimeout(deed, ms));
    if (first > limit) at(limit, () => this.end(() => callbacks.onTimeout(this.stats, context, null)));
    else {
      at(first, () => void (this.stats.loading.first = performance.now() || 1));
      at(way.afterMs, () => this.end(() => answer(way.answer, callbacks, context, this.stats)));
    }
  }

  private end(deed: () => void): void {
    this.over = true;
    deed();
  }

  abort(): void {
    this.destroy();
  }

  destroy(): void {
    if (!this.over) world.aborted.push(this.host);
    this.over = true;
    for (const t of this.timers) clearTimeout(t);
  }
}

function answer(what: Answer, callbacks: LoaderCallbacks<LoaderContext>, context: LoaderContext, s: Loader<LoaderContext>['stats']): void {
  if (typeof what === 'number') callbacks.onError({ code: what, text: '' }, context, null, s);
  else callbacks.onSuccess({ url: context.url, data: what }, s, context, null);
}

const quick = (msn: number): string => `#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-MEDIA-SEQUENCE:${msn}\n#EXT-X-PART:URI="${msn}.0.m4s"\n`;
const plain = (msn: number): string => `#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:${msn}\n#EXTINF:1.92,\n${msn}.m4s\n`;
const held = 'live.m3u8?_HLS_msn=9&_HLS_part=0';

function media(station: string): ArrayBuffer {
  const crc = crc32(station);
  const free = [0, 0, 0, 16, ...Buffer.from('freelwst'), crc >>> 24, crc >>> 16, crc >>> 8, crc];
  return Uint8Array.from([0, 0, 0, 8 + free.length, ...Buffer.from('moof'), ...free]).buffer;
}
const ours = media('talk');
const others = media('news');

function scene(name: string, run: () => void): void {
  test(name, () => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    let ms = 0;
    const clock = mock.method(performance, 'now', () => ms);
    const tick = mock.timers.tick.bind(mock.timers);
    pass = (d) => {
      for (let i = 0; i < d; i += 10) {
        ms += 10;
        tick(10);
      }
    };
    const { loader } = Hls.DefaultConfig;
    Hls.DefaultConfig.loader = Fake as unknown as typeof loader;
    world = new World();
    try {
      run();
    } finally {
      Hls.DefaultConfig.loader = loader;
      clock.mock.restore();
      mock.timers.reset();
    }
  });
}
let pass: (ms: number) => void;

/** Nothing has come from a quick pathway for so long that a store will do. */
const dry = (): void => pass(GRACE_MS + 100);

scene('the first pathway answers: nobody else is asked', () => {
  world.line = { a: { afterMs: 300, answer: quick(9) } };
  world.load(held);
  pass(3000);
  assert.equal(world.result, quick(9));
  assert.deepEqual(world.asked, ['a 0']);
});

for (const [name, bad] of Object.entries({ refused: 0, 'not found': 404, unavailable: 503, 'a page': '<!doctype html>', 'an old playlist': quick(7), 'a plain playlist': plain(7) })) {
  scene(`${name}: the second one is asked at once, and the first is left alone`, () => {
    world.line = { a: { afterMs: 20, answer: bad }, b: { afterMs: 20, answer: quick(9) } };
    world.load(held);
    pass(100);
    assert.equal(world.result, quick(9));
    assert.deepEqual(world.asked, ['a 0', 'b 20']);
    assert.equal(world.ways.routes('https://a.example/talk/x/9.0.m4s', performance.now())[0]?.way, 'b');
  });
}

scene('a page in the place of the first playlist of all', () => {
  world = new World(false);
  world.line = { a: { afterMs: 20, answer: '<!doctype html>' }, b: { afterMs: 20, answer: quick(9) } };
  world.load('live.m3u8');
  pass(100);
  assert.equal(world.result, quick(9));
});

for (const [name, bad] of Object.entries({ 'a page': new TextEncoder().encode('<!doctype html>').buffer as ArrayBuffer, 'another station': others })) {
  scene(`${name} in the place of media is not played`, () => {
    world.line = { a: { afterMs: 20, answer: bad }, b: { afterMs: 20, answer: ours } };
    world.load('9.0.m4s');
    pass(100);
    assert.equal(world.result, 'media');
    assert.deepEqual(world.asked, ['a 0', 'b 20']);
    world.line = { a: { afterMs: 20, answer: bad }, b: { afterMs: 20, answer: bad } };
    world.result = '';
    world.load('9.1.m4s');
    pass(100);
    assert.equal(world.result, 'error 421');
  });
}

scene('a pathway that hangs: the second one is asked long before the time limit', () => {
  world.line = { b: { afterMs: 20, answer: ours } };
  world.load('9.0.m4s');
  pass(500);
  assert.equal(world.result, 'media');
  assert.deepEqual(world.asked, ['a 0', 'b 340']);
  assert.deepEqual(world.aborted, ['a']);
});

scene('what comes slowly is not asked for twice', () => {
  world.line = { a: { afterMs: 5000, headMs: 4800, answer: ours }, b: { afterMs: 20, answer: ours } };
  world.load('9.m4s');
  pass(6000);
  assert.equal(world.result, 'media');
  assert.deepEqual(world.asked, ['a 0']);
});

scene('no quick pathway answers: at first that is an error, then the store has it', () => {
  world.line = { a: { afterMs: 20, answer: 0 }, b: { afterMs: 20, answer: 0 }, s: { afterMs: 20, answer: plain(7) } };
  world.load(held);
  pass(200);
  assert.equal(world.result, 'error 0', 'a program that starts again is back soon');
  dry();
  world.load(held);
  pass(200);
  assert.equal(world.result, plain(7));
  assert.ok(world.ways.fallen);
  world.asked = [];
  world.load('live.m3u8');
  pass(200);
  assert.equal(world.asked.length, 1);
  assert.match(world.asked[0]!, /^s /);
});

scene('all quick pathways hang: the store is asked when their time is over', () => {
  world.line = { s: { afterMs: 20, answer: plain(7) } };
  pass(GRACE_MS - 500);
  world.load(held);
  pass(1200);
  assert.equal(world.result, plain(7));
});

scene('a CDN that goes to its store is bridged, then believed', () => {
  world.line = { a: { afterMs: 20, answer: plain(7) }, b: { afterMs: 20, answer: plain(7) }, s: { afterMs: 20, answer: 0 } };
  world.load('live.m3u8');
  pass(200);
  assert.equal(world.result, 'error 421');
  dry();
  world.load('live.m3u8');
  pass(200);
  assert.equal(world.result, plain(7));
});

scene('an old playlist is better than none', () => {
  world.line = { a: { afterMs: 20, answer: quick(7) }, b: { afterMs: 20, answer: 503 } };
  world.load(held);
  pass(200);
  assert.equal(world.result, quick(7));
});

scene('the store fails as well: the quick ones are asked', () => {
  world.ways.listed('https://s.example/talk/', false, 1);
  pass(100);
  world.line = { a: { afterMs: 20, answer: quick(9) }, s: { afterMs: 20, answer: 503 } };
  world.load('live.m3u8');
  pass(200);
  assert.equal(world.result, quick(9));
  assert.ok(!world.ways.fallen);
});
