// What is pure: the clock, places, troubles, meters, settings, words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Snapshot, Speaker } from '../src/api';
import { Problem, refusal } from '../src/api';
import { duration, readClock, ServerClock } from '../src/clock';
import { choose, clockTime, decibels, fill, languages } from '../src/i18n';
import { off, type LineState } from '../src/line';
import { advise, constraints, measure, micTrouble } from '../src/microphone';
import { forgotten, goesOut, isOnAir, joinsOnAir, meterAt, place, sorted, takenOver, trouble } from '../src/place';
import { judge, prefer } from '../src/rtc';
import { at as atTwin, rows } from '../src/settings';

const t0 = Date.parse('2026-11-20T20:00:00Z');
const at = (s: number): string => new Date(t0 + s * 1000).toISOString();

const self: Speaker = {
  seat: 'a', name: 'A', role: 'speaker', transport: 'whip', connected: true, since: at(0),
  on_air: true, muted: false, gain_db: 0, feed: false, music: false, speaking: false,
};

function snapshot(change: Partial<Snapshot> = {}, own: Partial<Speaker> = {}): Snapshot {
  return {
    station: { name: 'talk', title: 'Talk' }, now: at(0), me: { seat: 'a', name: 'A', role: 'speaker', music: false },
    phase: 'live', broadcast: null, next: null, audience_hears: 'live', hold: false,
    speakers: [{ ...self, ...own }], cue: [], talkback: [], alarms: [], links: {}, ice_servers: [], ...change,
  };
}

const broadcast = (change: object) => ({
  id: 'b', title: 'B', description: '', state: 'doors' as const, start: at(0), doors_at: at(-1800),
  live_at: null, ended_at: null, late_seconds: 0, ...change,
});

test('the clock', () => {
  const read = (phase: Snapshot['phase'], b: object | null, now: number) => readClock(snapshot({ phase, broadcast: b && broadcast(b) }), t0 + now * 1000);
  assert.deepEqual(read('auto', null, 0), { kind: 'auto', ms: 0, late: 0 });
  assert.deepEqual(read('scheduled', {}, -7200), { kind: 'scheduled', ms: 7_200_000, late: 0 });
  assert.deepEqual(read('doors', {}, -750), { kind: 'doors', ms: 750_000, late: 0 });
  assert.deepEqual(read('doors', {}, 0.5), { kind: 'doors', ms: 0, late: 0 }, 'nobody is late in the first second');
  assert.deepEqual(read('doors', {}, 422), { kind: 'late', ms: 422_000, late: 0 });
  assert.deepEqual(read('doors', { start: null }, 5), { kind: 'doors', ms: 0, late: 0 });
  assert.deepEqual(read('live', { live_at: at(10), late_seconds: 10 }, 202), { kind: 'live', ms: 192_000, late: 10_000 });
  assert.deepEqual(read('live', { live_at: at(422), late_seconds: 422 }, 500), { kind: 'live_late', ms: 78_000, late: 422_000 });
  assert.deepEqual(read('live', { live_at: at(5) }, 4), { kind: 'live', ms: 0, late: 0 }, 'never less than nothing');
  assert.deepEqual(read('ended', { ended_at: at(0) }, 60), { kind: 'ended', ms: 60_000, late: 0 });
});

test('durations', () => {
  assert.equal(duration(0), '00:00');
  assert.equal(duration(59_999), '00:59');
  assert.equal(duration(59_001, true), '01:00', 'a countdown reaches nothing at the start, not a second before');
  assert.equal(duration(3_792_000), '1:03:12');
  assert.equal(duration(360_000_000), '100:00:00');
});

test("the server's clock: the answer with the shortest way is the truest", () => {
  const clock = new ServerClock();
  assert.equal(clock.now(5), 5);
  clock.hear(at(0), t0 + 900); // 400 ms on the way
  clock.hear(at(1), t0 + 1500); // none
  clock.hear(at(2), t0 + 2800); // 300 ms
  assert.ok(Math.abs(clock.now(t0 + 2800) - (t0 + 2300)) < 1, 'the server is 500 ms behind us');
  clock.hear(at(3600), t0); // somebody set a clock
  assert.equal(clock.now(t0), t0 + 3_600_000);
  clock.hear('nonsense', t0);
  assert.equal(clock.now(t0), t0 + 3_600_000);
});

test('where I am', () => {
  const cases: [string, Partial<Snapshot>, Partial<Speaker>][] = [
    ['air', {}, {}],
    ['green', {}, { on_air: false }],
    ['away', {}, { connected: false }],
    ['away', { speakers: [] }, {}],
    ['ready', { phase: 'doors', audience_hears: 'hold' }, {}],
    ['ready', { phase: 'ended', audience_hears: 'hold' }, {}],
    ['held', { audience_hears: 'hold', hold: true }, {}],
    ['held', { phase: 'auto', audience_hears: 'hold', hold: true }, {}],
    ['ready', { phase: 'ended', audience_hears: 'hold', hold: true }, {}],
    ['air_hold', { audience_hears: 'hold' }, {}],
    ['air_hold', { phase: 'auto', audience_hears: 'hold' }, {}],
    ['air_hold', { phase: 'scheduled', audience_hears: 'hold' }, {}],
    ['air', { phase: 'doors' }, {}],
    ['talkback', { talkback: ['b'] }, {}],
  ];
  for (const [want, s, own] of cases) assert.equal(place(snapshot(s, own)), want, JSON.stringify([s, own]));
});

test('who is on air the moment they join is told before', () => {
  const there: Speaker = { ...self, seat: 'b' };
  const host = { seat: 'a', name: 'A', role: 'host', music: false };
  const joins = (s: Partial<Snapshot>) => joinsOnAir(snapshot({ speakers: [there], ...s }));
  assert.equal(joins({}), false, 'a guest of a broadcast waits');
  assert.equal(joins({ me: host }), true);
  assert.equal(joins({ me: host, phase: 'doors', audience_hears: 'hold' }), false);
  assert.equal(joins({ me: host, hold: true, audience_hears: 'hold' }), false);
  assert.equal(joins({ me: host, phase: 'auto', speakers: [] }), false, 'a host waits for go live');
  assert.equal(joins({ phase: 'auto' }), false, 'somebody is on air');
  assert.equal(joins({ phase: 'auto', speakers: [{ ...there, role: 'host', on_air: false }] }), false, 'a host is here');
  assert.equal(joins({ phase: 'auto', audience_hears: 'hold', speakers: [] }), true, 'the first voice');
  assert.equal(joins({ phase: 'scheduled', audience_hears: 'hold', speakers: [{ ...there, connected: false }] }), true);
  assert.equal(joins({ speakers: [{ ...self, connected: false }] }), true, 'the place was kept on air');
  assert.equal(joins({ phase: 'auto', speakers: [{ ...self, connected: false, on_air: false }] }), false);
});

test('the red frame never misses: whatever goes out is shown', () => {
  for (const phase of ['auto', 'scheduled', 'doors', 'live', 'ended'] as const) {
    for (const hold of [true, false]) {
      const s = snapshot({ phase, hold, audience_hears: 'live' });
      assert.ok(goesOut(s) && isOnAir(place(s)), `${phase} ${hold}`);
    }
  }
});

test('what is wrong, the worst first', () => {
  const up: LineState = { phase: 'up', tries: 0, reason: '', was: true };
  const lost: LineState = { ...up, phase: 'waiting', tries: 1, reason: 'lost' };
  const first: LineState = { ...off, phase: 'trying' };
  assert.equal(trouble({ events: up, voice: up, ear: up }, true), null);
  assert.equal(trouble({ events: up, voice: off, ear: off }, true), null, 'not joined');
  assert.equal(trouble({ events: up, voice: first, ear: up }, true), 'connecting');
  assert.equal(trouble({ events: lost, voice: lost, ear: up }, false), 'offline');
  assert.equal(trouble({ events: lost, voice: lost, ear: up }, true), 'events');
  assert.equal(trouble({ events: { ...lost, reason: 'ending' }, voice: up, ear: up }, true), 'ending');
  assert.equal(trouble({ events: up, voice: { ...lost, phase: 'trying' }, ear: lost }, true), 'voice');
  assert.equal(trouble({ events: up, voice: up, ear: lost }, true), 'ear');
});

test('another window took my seat: only a later voice is another', () => {
  assert.ok(takenOver(snapshot({}, { since: at(5) }), at(0)));
  assert.ok(!takenOver(snapshot({}, { since: at(0) }), at(0)));
  assert.ok(!takenOver(snapshot({}, { since: at(5), connected: false }), at(0)));
  assert.ok(!takenOver(snapshot({}, { since: at(5) }), null));
  assert.ok(!takenOver(snapshot({ speakers: [] }), at(0)));
});

test('a server that had my voice and has none of mine began anew', () => {
  assert.ok(forgotten(snapshot({}, { connected: false }), at(0)));
  assert.ok(forgotten(snapshot({ speakers: [] }), at(0)));
  assert.ok(!forgotten(snapshot(), at(0)));
  assert.ok(!forgotten(snapshot({}, { connected: false }), null));
});

test('alarms before warnings, old before new', () => {
  const alarm = (kind: string, level: 'warn' | 'alarm', s: number) => ({ kind, level, since: at(s), seat: '', text: '' });
  const all = [alarm('w1', 'warn', 0), alarm('a2', 'alarm', 9), alarm('a1', 'alarm', 3)];
  assert.deepEqual(sorted(all).map((a) => a.kind), ['a1', 'a2', 'w1']);
});

test('a meter goes from -60 to 0 dB and no further', () => {
  assert.deepEqual([null, undefined, NaN, -Infinity, -90, -60, 0, 6].map(meterAt), [0, 0, 0, 0, 0, 0, 1, 1]);
  assert.ok(meterAt(-20) > meterAt(-21));
});

test('levels and advice', () => {
  assert.equal(measure(new Float32Array(8)).peak, -Infinity);
  const square = measure(Float32Array.of(0.5, -0.5, 0.5, -0.5));
  assert.ok(Math.abs(square.rms + 6.02) < 0.01 && Math.abs(square.peak + 6.02) < 0.01);
  const of = (db: number, n: number) => advise(Array.from({ length: n }, () => db));
  assert.equal(of(-90, 10), 'level_wait');
  assert.equal(of(-90, 40), 'level_silent');
  assert.equal(of(-45, 40), 'level_quiet');
  assert.equal(of(-12, 1), 'level_good');
  assert.equal(of(0, 1), 'level_loud');
  assert.equal(advise([0, ...Array.from({ length: 50 }, () => -20)]), 'level_good', 'five seconds are remembered');
});

test('voices are worked on, music is not', () => {
  const audio = (device: string, music: boolean) => constraints(device, music).audio as MediaTrackConstraints;
  assert.equal(audio('', false).echoCancellation, true);
  assert.deepEqual(audio('', false).channelCount, { ideal: 1 });
  for (const work of ['echoCancellation', 'noiseSuppression', 'autoGainControl'] as const) assert.equal(audio('', true)[work], false);
  assert.deepEqual(audio('', true).channelCount, { ideal: 2 });
  assert.deepEqual(audio('x', true).deviceId, { exact: 'x' });
});

test('what a refused microphone means', () => {
  const named = (name: string) => Object.assign(new Error(), { name });
  assert.equal(micTrouble(named('NotAllowedError')), 'mic_denied');
  assert.equal(micTrouble(named('NotFoundError')), 'mic_none');
  assert.equal(micTrouble(named('NotReadableError')), 'mic_busy');
  assert.equal(micTrouble('?'), 'mic_failed');
});

test('answers and what they mean', async () => {
  const answer = (status: number, type: string, headers = {}) => Problem.of(new Response(JSON.stringify({ type, detail: 'Do this.' }), { status, headers }));
  const expired = await answer(403, 'urn:longwave:expired');
  assert.equal(expired.message, 'Do this.');
  assert.equal(refusal(expired), 'expired');
  assert.equal(refusal(await answer(403, 'urn:longwave:revoked')), 'revoked');
  assert.equal(refusal(await answer(403, 'urn:longwave:forbidden')), 'forbidden');
  assert.equal(refusal(await answer(401, '')), 'unauthorized');
  assert.equal(refusal(await answer(404, '')), 'absent');
  assert.equal(refusal(await answer(409, '')), null);
  assert.equal(refusal(new TypeError('network')), null);
  assert.deepEqual(judge(await answer(503, '', { 'Retry-After': '7' })), { again: true, reason: 'full', after: 7 });
  assert.deepEqual(judge(expired), { again: false, reason: 'expired' });
  assert.deepEqual(judge(await answer(406, '')), { again: false, reason: 'unfit' });
  assert.deepEqual(judge(new TypeError('network')), { again: true, reason: 'unreachable' });
  assert.equal((await Problem.of(new Response('<html>', { status: 502 }))).message, '');
});

test('Opus twice over is wanted first, and nothing but Opus', () => {
  const codecs = ['audio/opus', 'audio/red', 'audio/G722', 'audio/telephone-event'].map((mimeType) => ({ mimeType, clockRate: 48_000 }));
  assert.deepEqual(prefer(codecs).map((c) => c.mimeType), ['audio/red', 'audio/opus']);
  assert.deepEqual(prefer([]), []);
});

test('settings in the fields that programs ask for', () => {
  const push = { icecast: 'icecast://source:k@h:8080/ice/talk', rtmp: 'rtmp://h:1936/live/k', srt: 'srt://h:8890?streamid=k', whip: 'https://h/whip/talk' };
  assert.deepEqual(rows(push, 'k').map((r) => `${r.program} ${r.field.slice(4)} ${r.value}`), [
    'WHIP server https://h/whip/talk', 'WHIP bearer k', 'RTMP server rtmp://h:1936/live', 'RTMP key k', 'SRT address srt://h:8890?streamid=k',
    'Icecast host h', 'Icecast port 8080', 'Icecast mount /ice/talk', 'Icecast user source', 'Icecast password k',
  ]);
  assert.deepEqual(rows({ new: 'x://y', icecast: 'odd' }, 'k').map((r) => r.value), ['x://y', 'odd']);
  assert.deepEqual(rows(undefined, ''), []);
  const public_ = { icecast: 'icecast://source:k@a.example/ice/talk', rtmp: 'rtmp://a.example/live/k', srt: 'srt://a.example:8890?streamid=k', whip: 'https://a.example/whip/talk' };
  assert.deepEqual(Object.values(atTwin('https://b.example', public_, 'https://a.example')), ['icecast://source:k@b.example/ice/talk', 'rtmp://b.example/live/k', 'srt://b.example:8890?streamid=k', 'https://b.example/whip/talk']);
  assert.deepEqual(atTwin('http://b:82', { whip: 'http://a:81/whip', icecast: 'icecast://source:k@a:81/ice/talk', rtmp: 'rtmp://a/live/k' }, 'http://a:81'), { whip: 'http://b:82/whip', icecast: 'icecast://source:k@b:82/ice/talk', rtmp: 'rtmp://b/live/k' });
});

test('words', () => {
  const keys = Object.keys(languages['en']!).sort();
  for (const [name, words] of Object.entries(languages)) assert.deepEqual(Object.keys(words).sort(), keys, name);
  assert.equal(choose(['de-AT', 'en'], 'en'), 'de');
  assert.equal(choose(['fr'], 'de-CH'), 'de');
  assert.equal(choose(['constructor', '__proto__'], 'de'), 'de');
  assert.equal(fill('{a} {b}', { a: '$&' }), '$& {b}');
  assert.equal(decibels(-18.24), '−18.2');
  assert.equal(decibels(null), '–');
  assert.match(clockTime(t0, true), /^\d\d:\d\d:\d\d$/);
});
