// Pathways: which of them a request takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../src/steering';
import { split, STALE_MS, Ways } from '../src/ways';

const list = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-CONTENT-STEERING:SERVER-URI="steering.json",PATHWAY-ID="a"
#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="aac-48",PATHWAY-ID="a"
https://a.example/talk/aac-48/live.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2,STABLE-VARIANT-ID="aac-96",PATHWAY-ID="a"
https://a.example/talk/aac-96/live.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="aac-48",PATHWAY-ID="b"
https://b.example/x/talk/aac-48/live.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2,STABLE-VARIANT-ID="aac-96",PATHWAY-ID="b"
https://b.example/x/talk/aac-96/live.m3u8
`;
const entry = split(list, 'https://a.example/talk/index.m3u8');

function two(): Ways {
  const ways = new Ways();
  ways.set(entry);
  return ways;
}

const part = 'https://a.example/talk/aac-96/7.3.m4s';
const order = (ways: Ways, now = 0, url = part): (string | null)[] => ways.routes(url, now).map((r) => r.way);

test('a multivariant playlist is left with one pathway', () => {
  assert.equal(
    entry.text,
    `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="aac-48",PATHWAY-ID="a"
https://a.example/talk/aac-48/live.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2,STABLE-VARIANT-ID="aac-96",PATHWAY-ID="a"
https://a.example/talk/aac-96/live.m3u8
`,
  );
  assert.equal(entry.steering, 'https://a.example/talk/steering.json');
  assert.deepEqual(entry.pathways.map((p) => p.id), ['a', 'b']);
});

test('a multivariant playlist without pathways stays as it is', () => {
  const plain = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\naac-48/live.m3u8\n';
  const e = split(plain, 'https://a.example/talk/index.m3u8');
  assert.equal(e.text, plain);
  assert.equal(e.pathways.length, 0);
  const ways = new Ways();
  ways.set(e);
  assert.deepEqual(ways.routes(part, 0), [{ way: null, url: part }]);
});

test('an address is the same on every pathway, and back', () => {
  const there = 'https://b.example/x/talk/aac-96/live.m3u8?_HLS_msn=7&_HLS_part=3';
  const here = 'https://a.example/talk/aac-96/live.m3u8?_HLS_msn=7&_HLS_part=3';
  assert.deepEqual(two().routes(here, 0).map((r) => r.url), [here, there]);
  assert.deepEqual(two().routes(there, 0).map((r) => r.url), [here, there]);
});

test('an address of no pathway has one way', () => {
  assert.deepEqual(order(two(), 0, 'https://c.example/live.m3u8'), [null]);
});

test('a pathway that failed comes last, for longer each time, and then first again', () => {
  const ways = two();
  ways.failed('a', 1000);
  assert.deepEqual(order(ways, 1001), ['b', 'a']);
  assert.deepEqual(order(ways, 10_999), ['b', 'a']);
  assert.deepEqual(order(ways, 11_001), ['a', 'b']);
  ways.failed('a', 12_000);
  assert.deepEqual(order(ways, 31_000), ['b', 'a'], '20 s the second time');
  ways.failed('a', 33_000);
  ways.failed('a', 64_000);
  assert.deepEqual(order(ways, 93_900), ['b', 'a'], 'never longer than 30 s');
  assert.deepEqual(order(ways, 94_100), ['a', 'b']);
  ways.failed('a', 200_000);
  assert.deepEqual(order(ways, 210_100), ['a', 'b'], 'what is long ago is forgiven');
});

test('what fails while it is left alone is not left alone for longer', () => {
  const ways = two();
  ways.failed('a', 0);
  ways.failed('a', 9000);
  assert.deepEqual(order(ways, 10_001), ['a', 'b']);
});

test('when all have failed the one that is left alone for the shortest time comes first', () => {
  const ways = two();
  ways.failed('b', 0);
  ways.failed('a', 1000);
  assert.deepEqual(order(ways, 2000), ['b', 'a']);
});

test('the steering decides, and what it leaves out is the last resort', () => {
  const ways = two();
  ways.steer(['b', 'a']);
  assert.deepEqual(order(ways), ['b', 'a']);
  ways.steer(['b']);
  assert.deepEqual(order(ways), ['b', 'a']);
  ways.failed('b', 0);
  assert.deepEqual(order(ways, 1), ['a', 'b'], 'better than one that failed just now');
  ways.steer(['x']);
  assert.deepEqual(order(ways, 20_000), ['b', 'a'], 'a list of others says nothing');
});

test('a playlist that stands is noticed after one and a half target durations', () => {
  const ways = two();
  const url = 'https://a.example/talk/aac-96/live.m3u8';
  assert.equal(ways.stands('a', url, 7, 0), false);
  assert.equal(ways.stands('a', url, 7, STALE_MS), false);
  assert.equal(ways.stands('a', url, 7, STALE_MS + 1), true);
  assert.equal(ways.stands('b', url, 7, STALE_MS + 1), false, 'the other pathway is new');
  assert.equal(ways.stands('a', url, 8, STALE_MS + 2), false);
});

test('another pathway is asked later where the first was only slow', () => {
  const ways = two();
  ways.part = 0.32;
  ways.roundTripMs = 20;
  assert.equal(ways.patienceMs(true), 320 + 150 + 40);
  assert.equal(ways.patienceMs(false), 300 + 40);
  for (let i = 0; i < 20; i++) ways.hedged(true);
  assert.equal(ways.patienceMs(false), 8 * 340);
  for (let i = 0; i < 100; i++) ways.hedged(false);
  assert.equal(ways.patienceMs(false), 340);
});

test('files beside the entry are known on every pathway', () => {
  assert.deepEqual(two().beside('steering.json', 0), ['https://a.example/talk/steering.json', 'https://b.example/x/talk/steering.json']);
});

test('only a steering manifest is one', () => {
  assert.deepEqual(parse({ VERSION: 1, TTL: 10, 'PATHWAY-PRIORITY': ['a'] }), { ttl: 10, priority: ['a'] });
  assert.deepEqual(parse({ VERSION: 1, TTL: 0.1, 'PATHWAY-PRIORITY': ['a'] }), { ttl: 5, priority: ['a'] });
  assert.deepEqual(parse({ VERSION: 1, 'PATHWAY-PRIORITY': ['a'] }), { ttl: 10, priority: ['a'] });
  for (const bad of [null, 7, '', [], {}, { VERSION: 2, 'PATHWAY-PRIORITY': ['a'] }, { VERSION: 1, 'PATHWAY-PRIORITY': [] }, { VERSION: 1, 'PATHWAY-PRIORITY': [7] }]) {
    assert.equal(parse(bad), null);
  }
});
