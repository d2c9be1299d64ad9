// The line that is kept, and the event stream, in a time of their own.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { EventParser, read, silence } from '../src/eventstream';
import { Line, pause, type End, type Session } from '../src/line';

/** Lets what was promised happen. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

/** A session whose end is in the test's hand. */
function scripted() {
  const runs: { up: () => void; end: (e: End) => void; fail: (e: Error) => void; signal: AbortSignal }[] = [];
  const session: Session = (up, signal) => new Promise((end, fail) => runs.push({ up, end, fail, signal }));
  return { runs, session };
}

async function inTime(run: () => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    await run();
  } finally {
    mock.timers.reset();
  }
}

const again: End = { again: true, reason: 'lost' };

test('pauses grow, are spread, have an end, and the server may ask for more', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 60].map((n) => pause(n, 0.5)), [300, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  assert.equal(pause(2, 0), 800);
  assert.ok(pause(2, 0.999) < 1200);
  assert.equal(pause(1, 0.5, 7), 7000);
});

test('a lost line is tried again with growing pauses until it is up', () => inTime(async () => {
  const { runs, session } = scripted();
  const seen: string[] = [];
  const line = new Line(session, () => seen.push(line.state.phase), () => 0.5);
  line.start();
  line.start();
  assert.equal(runs.length, 1, 'one session, however often it is started');
  runs[0]!.up();
  runs[0]!.end(again);
  await settle();
  mock.timers.tick(299);
  assert.equal(runs.length, 1);
  mock.timers.tick(1);
  assert.equal(runs.length, 2);
  runs[1]!.fail(new Error('no network'));
  await settle();
  assert.equal(line.state.tries, 2);
  mock.timers.tick(999);
  assert.equal(runs.length, 2);
  mock.timers.tick(1);
  assert.equal(runs.length, 3);
  assert.deepEqual(seen, ['trying', 'up', 'waiting', 'trying', 'waiting', 'trying']);
  assert.equal(line.state.was, true);
}));

test('after a while up the next loss counts as the first', () => inTime(async () => {
  const { runs, session } = scripted();
  const line = new Line(session, () => undefined, () => 0.5);
  line.start();
  for (let i = 0; i < 3; i++) {
    runs.at(-1)!.end(again);
    await settle();
    mock.timers.tick(20_000);
  }
  assert.equal(line.state.tries, 3);
  runs.at(-1)!.up();
  mock.timers.tick(10_000);
  runs.at(-1)!.end(again);
  await settle();
  assert.equal(line.state.tries, 1);
}));

test('an end for good is one; a hurry cuts a pause; a stop stops', () => inTime(async () => {
  const { runs, session } = scripted();
  const line = new Line(session, () => undefined, () => 0.5);
  line.start();
  runs[0]!.end(again);
  await settle();
  line.hurry();
  assert.equal(runs.length, 2);
  line.hurry();
  assert.equal(runs.length, 2, 'what is being tried is left alone');
  runs[1]!.end({ again: false, reason: 'revoked' });
  await settle();
  mock.timers.tick(60_000);
  assert.equal(runs.length, 2);
  assert.deepEqual([line.state.phase, line.state.reason], ['ended', 'revoked']);
  line.start();
  line.stop();
  assert.ok(runs[2]!.signal.aborted);
  runs[2]!.up();
  runs[2]!.end(again);
  await settle();
  mock.timers.tick(60_000);
  assert.equal(runs.length, 3, 'an old session says nothing any more');
  assert.equal(line.state.phase, 'off');
}));

test('renew gives up a session and begins anew at once', () => inTime(async () => {
  const { runs, session } = scripted();
  const line = new Line(session, () => undefined);
  line.renew();
  assert.equal(runs.length, 0, 'not when it is off');
  line.start();
  runs[0]!.up();
  line.renew();
  assert.ok(runs[0]!.signal.aborted);
  assert.equal(runs.length, 2);
  assert.equal(line.state.was, true);
}));

test('events come out whole whatever the pieces', () => {
  const text = ': hello\r\nevent: state\r\ndata: {"a":\r\ndata: 1}\r\n\r\n\r\nid: 7\ndata:x\n\nevent: empty\n\nid: 8\rdata: y\r\r\n';
  const want = [
    { event: 'state', data: '{"a":\n1}', id: null },
    { event: 'message', data: 'x', id: '7' },
    { event: 'message', data: 'y', id: '8' },
  ];
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const got = [];
    for (let i = 0; i < text.length; i += size) got.push(...parser.push(text.slice(i, i + size)));
    assert.deepEqual(got, want, `pieces of ${size}`);
  }
});

test('a stream is read to its end, letters cut in two are whole', async () => {
  const bytes = new TextEncoder().encode('data: grüß\n\n');
  const body = new ReadableStream<Uint8Array>({
    start(c) {
      for (const b of bytes) c.enqueue(Uint8Array.of(b));
      c.close();
    },
  });
  const got: string[] = [];
  await read(body, (e) => got.push(e.data));
  assert.deepEqual(got, ['grüß']);
});

test('a silent stream is lost', () => inTime(async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
  const reading = read(body, () => undefined).then(() => 'ended', (e: Error) => e.message);
  await settle();
  mock.timers.tick(silence);
  assert.equal(await reading, 'the event stream is silent');
  assert.ok(cancelled);
}));
