import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delayOf, delays, gaps, pairs, percentile, report } from './figures.mjs';

const second = 1_800_000_000_000; // a whole second, modulo 5 it is 0

test('a tone tells its age', () => {
  assert.equal(delayOf(0, second + 640), 640);
  assert.equal(delayOf(3, second + 3000 + 640), 640);
  assert.equal(delayOf(4, second + 5000 + 250), 1250, 'across the end of five seconds');
});

test('percentiles are members of the sample', () => {
  assert.equal(percentile([], 50), null);
  assert.equal(percentile([7], 95), 7);
  assert.equal(percentile([1, 2, 3, 4], 50), 2);
  assert.equal(percentile([1, 2, 3, 4], 95), 4);
});

test('delays', () => {
  const tones = [0, 1, 2].map((tone) => ({ tone, at: second + 1000 * tone + 600 + tone }));
  assert.deepEqual(delays(tones), { count: 3, p50: 601, p95: 602, min: 600, max: 602 });
  assert.deepEqual(delays([]), { count: 0, p50: null, p95: null, min: null, max: null });
});

test('what is heard belongs to the last of its kind that was said before', () => {
  const said = [0, 1, 2, 3, 4, 0].map((tone, i) => ({ tone, at: second + 1000 * i }));
  const heard = [
    { tone: 4, at: second + 150 }, // said before we began
    { tone: 0, at: second + 200 },
    { tone: 1, at: second + 2500 },
    { tone: 0, at: second + 5300 },
  ];
  assert.deepEqual(pairs(said, heard), [200, 1500, 300]);
});

test('silence before the first sound is no gap, silence to the end is an open one', () => {
  const heard = [
    { type: 'sound', at: 100 },
    { type: 'silence', at: 300 },
    { type: 'sound', at: 350 },
    { type: 'silence', at: 900 },
  ];
  assert.deepEqual(gaps(heard, 1000), [
    { at: 300, ms: 50 },
    { at: 900, ms: 100, open: true },
  ]);
  assert.deepEqual(gaps([], 1000), []);
});

test('a report of nothing says so', () => {
  const r = report([], { pressed: 0, ended: 1000, settleMs: 0 });
  assert.equal(r.startUpMs, null);
  assert.equal(r.tones, 0);
  assert.equal(r.mouthToEarMs.p50, null);
});

test('tones before the player has settled are left out', () => {
  const at = (s) => second + 1000 * s + 500;
  const heard = [{ type: 'sound', at: second }, ...[0, 1, 2, 3].map((s) => ({ type: 'tone', tone: s, at: at(s) }))];
  const r = report(heard, { pressed: second - 200, ended: second + 5000, settleMs: 2000 });
  assert.equal(r.startUpMs, 200);
  assert.equal(r.tones, 4);
  assert.equal(r.mouthToEarMs.count, 2);
});
