import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptMs, limits, rate, retryDelayMs, shouldJump, target, type Sample } from '../src/controller';

const low: Sample = { latency: 1.3, target: 1.28, buffer: 1.1, part: 0.32 };
const fast: Sample = { latency: 0.5, target: 0.48, buffer: 0.4, part: 0.16 };
const plain: Sample = { latency: 6, target: 6, buffer: 5, part: 0 };

test('at the target sound plays at its own speed', () => {
  for (const s of [low, fast, plain]) assert.equal(rate(s), 1);
});

test('late sound is played faster, by at most 6 %', () => {
  assert.ok(Math.abs(rate({ ...low, latency: 1.38 }) - 1.02) < 1e-9);
  assert.equal(rate({ ...low, latency: 9 }), 1.06);
  assert.equal(rate({ ...plain, latency: 30 }), 1.06);
});

test('catching up begins late and goes on until it is done', () => {
  const near = { ...low, latency: 1.33 };
  assert.equal(rate(near, 1), 1);
  assert.ok(rate(near, 1.02) > 1);
  assert.equal(rate({ ...low, latency: 1.29 }, 1.02), 1);
});

test('who is late with little in hand does not hurry', () => {
  assert.equal(rate({ ...low, latency: 3, buffer: 0.28 }), 1);
  assert.equal(rate({ ...plain, latency: 12, buffer: 2 }), 1);
});

test('sound that runs out is played slower', () => {
  assert.equal(rate({ ...low, buffer: 0.2 }), 0.97);
  assert.equal(rate({ ...fast, buffer: 0.15 }), 0.97);
  assert.equal(rate({ ...fast, buffer: 0.2 }), 1, 'a part in hand is not little where parts are short');
});

test('without parts the steps of the edge are not followed', () => {
  assert.equal(rate({ ...plain, latency: 7.9 }), 1);
});

// The loop closed: sound of the part just made arrives at once, the listener's
// place moves at the rate. It must come to the target and never run dry.
function play(s: Sample, seconds: number): { latency: number; least: number } {
  let { latency } = s;
  let least = Infinity;
  let now = 1;
  for (let t = 0; t < seconds; t += 0.2) {
    const sincePart = t % s.part;
    const buffer = latency - sincePart;
    least = Math.min(least, buffer);
    now = rate({ ...s, latency, buffer }, now);
    latency -= 0.2 * (now - 1);
  }
  return { latency, least };
}

test('a late listener arrives at the target and stays', () => {
  for (const s of [low, fast]) {
    for (const late of [0.1, 0.5, 1, 3]) {
      const { latency, least } = play({ ...s, latency: s.target + late }, 90);
      assert.ok(Math.abs(latency - s.target) < 0.02, `${late} s late: ${latency} for ${s.target}`);
      assert.ok(least > 0.15, `${late} s late: ${least} s in hand`);
    }
  }
});

test('after silence the player jumps, while sound is heard only from afar', () => {
  const late = { ...low, latency: 2.3 };
  assert.equal(shouldJump(late, 0), false);
  assert.equal(shouldJump(late, 1000), true);
  assert.equal(shouldJump({ ...low, latency: 1.5 }, 1000), false);
  assert.equal(shouldJump({ ...low, latency: 14 }, 0), true);
  assert.equal(shouldJump({ ...low, latency: 10 }, 0), false, 'who comes back from a store misses nothing');
  assert.equal(shouldJump({ ...plain, latency: 15 }, 0), false);
  assert.equal(shouldJump({ ...plain, latency: 8 }, 1000), false, 'the edge of a store moves in steps');
});

test('attempts come soon at first, then a share of the outage apart, never all at once', () => {
  assert.deepEqual([0, 0.5, 0.999].map((r) => Math.round(retryDelayMs(0, r))), [175, 250, 325]);
  assert.equal(retryDelayMs(4000, 0.5), 2000);
  assert.equal(retryDelayMs(3_600_000, 0.5), 8000);
  let tries = 0;
  for (let t = 0; t < 60_000; t += retryDelayMs(t, 0.5)) tries++;
  assert.ok(tries < 20, `${tries} attempts in a minute`);
});

test('an attempt that failed gives the next one more time', () => {
  assert.equal(attemptMs(0), 3000);
  assert.ok(attemptMs(2) > attemptMs(1));
  assert.equal(attemptMs(50), 20_000);
});

test('time limits leave a hung pathway in time and let a blocked playlist finish', () => {
  assert.equal(limits(0.32, 0, 0).firstByteMs, 800);
  assert.equal(limits(0.16, 0, 0).firstByteMs, 800);
  assert.ok(limits(0.96, 20, 0).firstByteMs > 960 + 40);
  assert.ok(limits(0.32, 600, 0).firstByteMs > 320 + 600, 'a slow line');
  assert.ok(limits(0.32, 0, 3).firstByteMs > 2000);
  assert.equal(limits(0.32, 0, 50).firstByteMs, 10_000);
});

test('the target is the hold-back, or three of one\'s own parts where that is what it means', () => {
  assert.equal(target(1.28, 0.32), 1.28);
  assert.ok(Math.abs(target(0.512, 0.16) - 0.48) < 1e-9);
  assert.ok(Math.abs(target(0.512, 0.17067) - 0.512) < 0.001);
  assert.equal(target(2.88, 0.96), 2.88);
  assert.equal(target(6, 0), 6);
  assert.equal(target(1.0, 0.2), 1.0);
});
