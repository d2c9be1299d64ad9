import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose, fill, languages } from '../src/i18n';
import { nowAt, type Range } from '../src/marks';

test('every language has every sentence', () => {
  const keys = Object.keys(languages['en']!).sort();
  for (const [name, words] of Object.entries(languages)) assert.deepEqual(Object.keys(words).sort(), keys, name);
});

test('the browser chooses the language, the page is the fallback', () => {
  assert.equal(choose(['de-AT', 'en'], 'en'), 'de');
  assert.equal(choose(['fr', 'en-US'], 'de'), 'en');
  assert.equal(choose(['fr'], 'de-CH'), 'de');
  assert.equal(choose([], 'fr'), 'en');
  assert.equal(choose(['constructor', '__proto__'], 'de'), 'de');
});

test('places are filled, unknown ones stay', () => {
  assert.equal(fill('{seconds} s behind', { seconds: '1,4' }), '1,4 s behind');
  assert.equal(fill('{a} {b}', { a: '$&' }), '$& {b}');
});

const at = (s: number) => new Date(1_800_000_000_000 + 1000 * s);
const range = (name: string, from: number, to: number | null, attr: Record<string, string>): Range => ({
  class: `longwave.${name}`,
  startDate: at(from),
  endDate: to === null ? null : at(to),
  attr,
});

test('the newest range that holds says what is on air', () => {
  const ranges = [
    range('onair', 10, null, { 'X-STATE': 'live' }),
    range('onair', 0, null, { 'X-STATE': 'hold' }),
    range('title', 0, null, { 'X-TITLE': 'First' }),
    range('title', 20, null, { 'X-TITLE': 'Second' }),
  ];
  assert.deepEqual(nowAt(ranges, at(-1)), { onAir: 'unknown', title: '', speakers: [] });
  assert.deepEqual(nowAt(ranges, at(5)), { onAir: 'hold', title: 'First', speakers: [] });
  assert.deepEqual(nowAt(ranges, at(30)), { onAir: 'live', title: 'Second', speakers: [] });
  assert.equal(nowAt([range('onair', 0, null, { 'X-STATE': 'else' })], at(1)).onAir, 'unknown');
});

test('who speaks, each once, in the order of beginning', () => {
  const ranges = [
    range('speaker', 3, null, { 'X-SPEAKER': 'B' }),
    range('speaker', 1, null, { 'X-SPEAKER': 'A' }),
    range('speaker', 0, 2, { 'X-SPEAKER': 'C' }),
    range('speaker', 4, null, { 'X-SPEAKER': 'A' }),
  ];
  assert.deepEqual(nowAt(ranges, at(5)).speakers, ['A', 'B']);
  assert.deepEqual(nowAt(ranges, at(2)).speakers, ['A'], 'an end belongs to the range no more');
});
