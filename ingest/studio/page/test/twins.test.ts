// Twins: which one is heard and shown, what both are told, and what one missed.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Problem, type API, type Snapshot, type Speaker } from '../src/api';
import { apart, Carrier, Deeds, hear, lead, newID, type Knower } from '../src/twins';

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

test('which return is heard', () => {
  const chosen = (a: [number, boolean], b: [number, boolean], heard: 0 | 1): number => {
    const all = [a, b].map(([missing, there]) => ({ missing, there }));
    return all.indexOf(hear(all, all[heard]!));
  };
  assert.equal(chosen([20, true], [10, true], 0), 0, 'the one that is heard, while it comes');
  assert.equal(chosen([499, true], [10, true], 0), 0, 'a bad line is waited for');
  assert.equal(chosen([500, true], [10, true], 0), 1);
  assert.equal(chosen([150, false], [10, true], 0), 1, 'of a node that is gone for less');
  assert.equal(chosen([20, false], [10, true], 0), 0, 'only the events have gone');
  assert.equal(chosen([900, true], [901, true], 0), 0, 'both are silent: it is the own line');
  assert.equal(chosen([900, true], [600, true], 0), 0);
  assert.equal(chosen([10, true], [20, true], 1), 1, 'the one that is back is not needed');
  assert.equal(chosen([Infinity, false], [Infinity, false], 0), 0, 'nobody has come in');
});

test('which word is shown', () => {
  const chosen = (a: [boolean, boolean], b: [boolean, boolean], leader: 0 | 1): number => {
    const all = [a, b].map(([there, lame]) => ({ there, lame }));
    return all.indexOf(lead(all, all[leader]!));
  };
  assert.equal(chosen([true, false], [true, false], 0), 0);
  assert.equal(chosen([true, false], [true, false], 1), 1);
  assert.equal(chosen([false, false], [true, true], 0), 1);
  assert.equal(chosen([true, true], [true, false], 0), 1, 'one that does not hear me does not lead');
  assert.equal(chosen([true, true], [false, false], 0), 0);
  assert.equal(chosen([false, false], [false, false], 1), 1);
});

const seat = (more: Partial<Speaker> = {}): Speaker => ({
  seat: 'g', name: 'G', role: 'speaker', transport: 'whip', connected: true, since: null, on_air: false,
  muted: false, gain_db: 0, feed: false, music: false, speaking: false, ...more,
});
const says = (record: string, ...speakers: Speaker[]): Snapshot => ({ me: { role: 'host' }, record, speakers }) as unknown as Snapshot;

test('whether twins know the same', () => {
  assert.equal(apart(says('1', seat()), says('1', seat())), false);
  assert.equal(apart(says('1'), says('2')), true);
  for (const change of [{ muted: true }, { on_air: true }, { gain_db: -3 }]) {
    assert.equal(apart(says('1', seat(change)), says('1', seat())), true, JSON.stringify(change));
    assert.equal(apart(says('1', seat({ role: 'input', ...change })), says('1', seat({ role: 'input' }))), false, 'inputs are their own');
  }
  assert.equal(apart(says('1'), says('1', seat())), true, 'somebody is there alone');
  assert.equal(apart(says('1', seat({ connected: false })), says('1')), false, 'a place that is kept a little longer');
  assert.equal(apart(says('1', seat({ connected: false })), says('1', seat())), false);
});

test('ids', () => {
  assert.match(newID(), /^[a-z2-7]{10}$/);
  assert.notEqual(newID(), newID());
});

/** An API whose mute comes to what it is made for. */
function api(comes: () => Promise<unknown>): API & { told: number } {
  const it = { told: 0, remove: () => (it.told++, comes()) };
  return it as unknown as API & { told: number };
}

test('a deed is done at all, and the leader answers', async () => {
  const never = new Promise<void>(() => {});
  const unreachable = (): Promise<never> => Promise.reject(new TypeError('failed to fetch'));
  const no = (): Promise<never> => Promise.reject(new Problem(409, 'conflict', 'No.'));
  const done = (x: string) => () => Promise.resolve(x);
  const come = async (...all: (() => Promise<unknown>)[]) => {
    const apis = all.map(api);
    const answer = new Deeds(() => apis).remove('g').then((x) => String(x), (e: unknown) => `! ${(e as Error).message}`);
    mock.timers.tick(1);
    await settle();
    mock.timers.tick(1500);
    assert.deepEqual(apis.map((a) => a.told), all.map(() => 1));
    return answer;
  };
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    assert.equal(await come(done('a')), 'a');
    assert.equal(await come(done('a'), done('b')), 'a');
    assert.equal(await come(done('a'), no), 'a', 'what the other says does not count');
    assert.equal(await come(no, done('b')), '! No.');
    assert.equal(await come(unreachable, done('b')), 'b');
    assert.equal(await come(unreachable, unreachable), '! failed to fetch');
    assert.equal(await come(unreachable), '! failed to fetch');
    assert.equal(await come(() => never, done('b')), 'b', 'one that hangs is not waited for');
    assert.equal(await come(() => new Promise((r) => setTimeout(() => r('a'), 1000)), no), 'a', 'one that is slow is');
  } finally {
    mock.timers.reset();
  }
});

test('what one missed is brought, once, and again until it helps', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const told: string[] = [];
    const knower = (name: string, record: string): Knower & { snapshot: Snapshot } => ({
      api: { record: () => (told.push(`ask ${name}`), Promise.resolve({})), join: () => (told.push(`tell ${name}`), Promise.resolve({})) },
      snapshot: says(record),
      there: true,
      met: true,
    });
    const [a, b] = [knower('a', '1'), knower('b', '1')];
    const carrier = new Carrier(() => [a, b]);
    const wait = async (ms: number): Promise<void> => {
      mock.timers.tick(ms);
      await settle();
    };
    carrier.look();
    await wait(60_000);
    assert.deepEqual(told, [], 'they know the same');
    b.met = false; // it is back
    carrier.look();
    carrier.look();
    await wait(700);
    assert.deepEqual(told.splice(0), ['ask a', 'tell b', 'tell a']);
    await wait(60_000);
    assert.deepEqual(told, []);
    b.snapshot = says('2');
    b.there = false;
    carrier.look();
    await wait(60_000);
    assert.deepEqual(told, [], 'it is gone');
    b.there = true;
    for (const ms of [700, 1400, 2800, 5600]) {
      carrier.look();
      await wait(ms - 1);
      assert.deepEqual(told, [], `not before ${ms} ms`);
      await wait(1);
      assert.deepEqual(told.splice(0), ['ask a', 'tell b', 'tell a']);
    }
    b.snapshot = says('1');
    await wait(60_000);
    assert.deepEqual(told, [], 'it helped');
    a.snapshot = { ...says('3'), me: { role: 'speaker' } } as unknown as Snapshot;
    carrier.look();
    await wait(60_000);
    assert.deepEqual(told, [], 'a speaker brings nothing');
  } finally {
    mock.timers.reset();
  }
});
