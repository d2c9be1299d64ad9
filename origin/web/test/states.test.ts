import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initial, phase, reduce, view, type Event } from '../src/states';

const after = (...events: Event[]) => events.reduce(reduce, initial);
const play: Event = { type: 'play' };
const pause: Event = { type: 'pause' };
const sound: Event = { type: 'sound' };
const silence: Event = { type: 'silence' };
const station = (s: 'present' | 'absent' | 'ended'): Event => ({ type: 'station', station: s });
const engine = (e: 'late' | 'ready' | 'none'): Event => ({ type: 'engine', engine: e });
const way = (w: 'usual' | 'backup' | 'returned'): Event => ({ type: 'way', way: w });
const network = (online: boolean): Event => ({ type: 'network', online });

const cases: [string, Event[], string][] = [
  ['at first', [], 'idle'],
  ['pressed', [play], 'starting'],
  ['pressed, nothing comes for long', [play, silence], 'reconnecting'],
  ['sound', [play, sound], 'playing'],
  ['sound stops', [play, sound, silence], 'reconnecting'],
  ['sound comes back', [play, sound, silence, sound], 'playing'],
  ['sound by a backup way', [play, sound, way('backup')], 'fallback'],
  ['by a backup way, and that stops', [play, sound, way('backup'), silence], 'reconnecting'],
  ['the usual way is back', [play, sound, way('backup'), way('returned')], 'playing'],
  ['paused by a backup way', [play, sound, way('backup'), pause, play, sound], 'playing'],
  ['paused', [play, sound, pause], 'idle'],
  ['paused while reconnecting', [play, sound, silence, pause], 'idle'],
  ['pressed again', [play, sound, pause, play], 'starting'],
  ['nothing on air', [station('absent')], 'absent'],
  ['nothing on air, pressed', [station('absent'), play], 'waiting'],
  ['it begins by itself', [station('absent'), play, station('present')], 'starting'],
  ['an origin that is ill says "not found"', [play, sound, silence, station('absent')], 'reconnecting'],
  ['offline with sound in hand', [play, sound, network(false)], 'playing'],
  ['offline', [play, sound, network(false), silence], 'offline'],
  ['offline, not listening', [network(false)], 'idle'],
  ['online again', [play, sound, network(false), silence, network(true)], 'reconnecting'],
  ['ended with sound in hand', [play, sound, station('ended')], 'playing'],
  ['ended', [play, sound, station('ended'), silence], 'ended'],
  ['ended before', [play, station('present'), station('ended')], 'ended'],
  ['its playlist is still there', [play, station('ended'), station('present')], 'ended'],
  ['it goes on', [play, station('ended'), sound], 'playing'],
  ['the engine did not load', [engine('late')], 'unloaded'],
  ['the engine did not load, pressed', [engine('late'), play], 'loading'],
  ['and taken back', [engine('late'), play, pause], 'unloaded'],
  ['the engine did not load, for long', [play, engine('late'), silence], 'loading'],
  ['the engine did not load as there is no line', [play, engine('late'), network(false)], 'offline'],
  ['the engine came in the end', [engine('late'), play, engine('ready')], 'starting'],
  ['nothing can play', [engine('none')], 'unsupported'],
  ['nothing can play, the line goes and comes', [engine('none'), network(false), network(true)], 'unsupported'],
  ['a late sound of a session that was let go', [play, pause, sound], 'idle'],
];

for (const [name, events, want] of cases) {
  test(`${name}: ${want}`, () => assert.equal(phase(after(...events)), want));
}

test('red means on air, and nothing else does', () => {
  const onAir = (a: 'unknown' | 'live' | 'hold'): Event => ({ type: 'onair', onAir: a });
  const dot = (...events: Event[]) => view(after(...events)).dot;
  assert.equal(dot(play, sound, onAir('live')), 'air');
  assert.equal(dot(play, sound, onAir('hold')), 'waiting');
  assert.equal(dot(play, sound), 'sound');
  assert.equal(dot(play, sound, onAir('live'), silence), 'waiting');
  assert.equal(dot(play, sound, onAir('live'), pause), 'none');
});

test('the button always offers the other thing', () => {
  const button = (...events: Event[]) => view(after(...events)).button;
  assert.equal(button(), 'play');
  assert.equal(button(play), 'pause');
  assert.equal(button(engine('late')), 'play');
  assert.equal(button(engine('late'), play), 'pause');
  assert.equal(button(play, sound, silence), 'pause');
  assert.equal(button(station('absent'), play), 'pause');
  assert.equal(button(play, station('ended')), 'play');
});

test('only what is heard has a distance to live', () => {
  assert.equal(view(after(play, sound)).showBehind, true);
  for (const events of [[], [play], [play, sound, silence]]) assert.equal(view(after(...events)).showBehind, false);
});
