// Pathways: which of them a request takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../src/steering';
import { GRACE_MS, split, STALE_MS, STALE_PLAIN_MS, Ways } from '../src/ways';

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
  const ways = new Ways(() => 0);
  ways.set(entry);
  return ways;
}

const store = 'https://s.example/talk/';
const STORE_PART = `${store}aac-96/7.3.m4s`;

/** Two quick pathways and a store, after a quick one has answered at 0. */
function three(): Ways {
  const ways = new Ways(() => 0);
  ways.set(entry, ['https://a.example/talk/', 'https://b.example/x/talk/', store]);
  ways.listed('a', true, 0);
  return ways;
}

const live = 'https://a.example/talk/aac-96/live.m3u8';
const held = `${live}?_HLS_msn=7&_HLS_part=3`;
const segment = 'https://a.example/talk/aac-96/7.m4s';

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
  assert.deepEqual(e.pathways.map((p) => p.id), ['.']);
  const ways = new Ways();
  ways.set(e);
  assert.deepEqual(ways.routes(part, 0), [{ way: null, url: part }]);
  assert.equal(ways.many(part), false);
});

test('an address is the same on every pathway, and back', () => {
  const there = 'https://b.example/x/talk/aac-96/live.m3u8?_HLS_msn=7&_HLS_part=3';
  const here = 'https://a.example/talk/aac-96/live.m3u8?_HLS_msn=7&_HLS_part=3';
  assert.deepEqual(two().routes(here, 0).map((r) => r.url), [here, there]);
  assert.deepEqual(two().routes(there, 0).map((r) => r.url), [here, there]);
});

test('an address of no pathway has one way', () => {
  assert.deepEqual(order(two(), 0, 'https://c.example/live.m3u8'), [null]);
  assert.deepEqual(two().reserve('https://c.example/live.m3u8', 0), [], 'and is not asked again at once');
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

test('a store is no route as long as quick pathways may answer', () => {
  const ways = three();
  const reserve = (url: string, now: number): string[] => ways.reserve(url, now).map((r) => r.url);
  assert.deepEqual(order(ways, 100, held), ['a', 'b']);
  assert.deepEqual(reserve(held, GRACE_MS - 1), [], 'a program that starts again is waited for');
  assert.deepEqual(reserve(held, GRACE_MS), [`${store}aac-96/live.m3u8`], 'without directives, which it does not know');
  ways.gave('b', 2000);
  assert.deepEqual(reserve(held, GRACE_MS), [], 'a quick pathway gives media');
  assert.deepEqual(reserve(segment, 2001), [`${store}aac-96/7.m4s`], 'a segment is the same everywhere');
  assert.deepEqual(reserve(part, 99_000), [], 'a store has no parts');
});

test('before anything was heard the store is asked at once, unless nothing is on air', () => {
  const ways = new Ways(() => 0);
  ways.set(entry, [store]);
  assert.deepEqual(ways.reserve(live, 0, true), []);
  assert.deepEqual(ways.reserve(live, 0, false).map((r) => r.way), [store]);
  ways.listed(store, false, 1);
  assert.ok(ways.backup, 'the pathways of the entry would be quicker');
});

test('who fell stays with the store, and has the quick pathways in reserve', () => {
  const ways = three();
  ways.listed(store, false, 5000, 4900);
  assert.ok(ways.fallen);
  assert.deepEqual(order(ways, 5001, live), [store]);
  assert.deepEqual(order(ways, 5001, segment), [store]);
  assert.deepEqual(ways.reserve(live, 5001).map((r) => r.way), ['a', 'b']);
  ways.listed('a', true, 5002, 4950);
  assert.ok(ways.fallen, 'what was asked for before the fall does not end it');
  ways.listed('a', true, 6000, 5500);
  assert.ok(!ways.fallen, 'the store failed, a quick one had it');
});

test('parts that are not to be had are a reason to fall, playlists or not', () => {
  const ways = three();
  ways.lost(part, GRACE_MS - 1);
  assert.ok(!ways.fallen);
  ways.lost(held, GRACE_MS);
  assert.ok(!ways.fallen, 'of a playlist only the answer says where we are');
  ways.lost(part, GRACE_MS);
  assert.ok(ways.fallen);
  const alone = two();
  alone.listed('a', true, 0);
  alone.lost(part, 99_000);
  assert.ok(!alone.fallen, 'there is no other way');
});

test('the return: a playlist of a quick pathway, on trial', () => {
  const ways = three();
  assert.deepEqual(ways.lookouts(live, 0), []);
  ways.failed('a', 4000);
  ways.listed(store, false, 5000);
  assert.deepEqual(ways.lookouts(held, 5001).map((r) => r.url), ['https://b.example/x/talk/aac-96/live.m3u8', live]);
  ways.rise('a', 6000);
  assert.deepEqual(order(ways, 6001, live), ['a', 'b']);
  assert.deepEqual(ways.reserve(live, 6001).map((r) => r.way), [store], 'at once');
  assert.ok(ways.fallen, 'not before it has answered');
  ways.listed(store, false, 6002, 5990);
  assert.deepEqual(order(ways, 6003, live), ['a', 'b'], 'asked for before the trial');
  ways.listed('a', true, 7000, 6500);
  assert.ok(!ways.fallen);
  assert.deepEqual(ways.lookouts(live, 7001), []);
});

test('who falls again soon looks longer before the next return', () => {
  const ways = three();
  const steps = [0, 1, 2, 3, 4, 5].map((i) => {
    ways.listed(store, false, 10_000 * (i + 1));
    ways.rise('a', 10_000 * (i + 1) + 1);
    ways.listed('a', true, 10_000 * (i + 1) + 2);
    return ways.steps;
  });
  assert.deepEqual(steps, [2, 4, 8, 16, 16, 16]);
  ways.listed(store, false, 999_000);
  assert.equal(ways.steps, 2, 'long ago');
  ways.rise('a', 999_001);
  ways.listed(store, false, 999_010);
  assert.equal(ways.steps, 4, 'the trial failed');
  assert.deepEqual(order(ways, 999_011, live), [store]);
});

test('an entry of plain pathways: other hosts may be quicker', () => {
  const ways = new Ways(() => 0);
  const plain = split(list.replaceAll('"a"', '"s"').replaceAll('a.example', 's.example').replaceAll('"b"', '"t"').replaceAll('b.example', 't.example'), `${store}index.m3u8`);
  ways.set(plain, ['https://a.example/talk/', store]);
  assert.deepEqual(order(ways, 0, `${store}aac-96/live.m3u8`), ['s', 't']);
  ways.listed('s', false, 1);
  assert.ok(ways.fallen && !ways.backup, 'nobody knows whether there are quicker ones');
  assert.deepEqual(order(ways, 2, `${store}aac-96/live.m3u8`), ['s', 't']);
  assert.deepEqual(ways.lookouts(`${store}aac-96/live.m3u8`, 2).map((r) => r.url), [live]);
  ways.rise('https://a.example/talk/', 3);
  ways.listed('https://a.example/talk/', true, 4);
  assert.deepEqual(order(ways, 5, STORE_PART), ['https://a.example/talk/'], 'parts come from there');
  assert.deepEqual(ways.beside('steering.json', 5), ['https://s.example/talk/steering.json', 'https://t.example/x/talk/steering.json']);
});

test('one address that turns plain and back needs no other', () => {
  const ways = new Ways(() => 0);
  ways.set(split('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID="aac-48"\naac-48/live.m3u8\n', 'https://a.example/talk/index.m3u8'));
  const url = 'https://a.example/talk/aac-48/live.m3u8';
  ways.listed('.', true, 0);
  ways.listed('.', false, 5000);
  assert.ok(ways.fallen);
  assert.deepEqual(order(ways, 5001, url), ['.']);
  assert.deepEqual(ways.lookouts(url, 5001), [], 'its playlists tell');
  ways.listed('.', true, 9000);
  assert.ok(!ways.fallen);
});

test('a plain playlist is not what a quick pathway is there for, as long as there are others', () => {
  const ways = three();
  assert.ok(ways.wantsQuick('a'));
  assert.ok(!ways.wantsQuick(store));
  ways.listed('a', false, 5000);
  assert.ok(!ways.wantsQuick('a'), 'it was taken all the same: there was nothing else');
});

test('a store stands longer before it is dead', () => {
  const ways = three();
  ways.stands(store, `${store}aac-96/live.m3u8`, 7, 0);
  assert.equal(ways.stands(store, `${store}aac-96/live.m3u8`, 7, STALE_PLAIN_MS), false);
  assert.equal(ways.stands(store, `${store}aac-96/live.m3u8`, 7, STALE_PLAIN_MS + 1), true);
});

test('another pathway is asked later where the first was only slow', () => {
  const ways = two();
  assert.equal(ways.patienceMs(false), 1000, 'a line that has to be opened');
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
