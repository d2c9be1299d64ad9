import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untilLoaded } from '../src/load';

test('tries until it succeeds, tells each failure, rests longer and longer', async () => {
  const tries: number[] = [];
  const rests: number[] = [];
  let failures = 0;
  const load = async (n: number): Promise<string> => {
    tries.push(n);
    if (n < 20) throw new TypeError('Failed to fetch');
    return 'here';
  };
  const loaded = await untilLoaded(load, () => failures++, async (ms) => void rests.push(ms));
  assert.equal(loaded, 'here');
  assert.deepEqual(tries, [...Array(21).keys()], 'each knows its number');
  assert.equal(failures, 20);
  assert.equal(rests.length, 20, 'one rest after each failure');
  assert.ok(rests[0]! < 400, `${rests[0]} ms before the second try`);
  assert.ok(rests.at(-1)! > 4000 && Math.max(...rests) < 11_000, `${rests}`);
});

test('what loads at once is neither told nor waited for', async () => {
  const never = (): never => assert.fail();
  assert.equal(await untilLoaded(async () => 1, never, never), 1);
});
