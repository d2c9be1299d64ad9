// Whether an answer is what was asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, edgeOf, isOld, isOurs, isPlaylist, position } from '../src/inspect';

const live = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,HOLD-BACK=6.0,PART-HOLD-BACK=1.28
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-PART:DURATION=0.31999,URI="100.0.m4s"
#EXTINF:1.91999,
100.m4s
#EXTINF:1.91999,
101.m4s
#EXT-X-PART:DURATION=0.31999,URI="102.0.m4s"
#EXT-X-PART:DURATION=0.31999,URI="102.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="102.2.m4s"
`;

test('the edge of a playlist', () => {
  assert.deepEqual(edgeOf(live), { msn: 102, parts: 2, blocks: true, ended: false });
  const delta = live.replace('#EXT-X-PART:DURATION=0.31999,URI="100.0.m4s"\n#EXTINF:1.91999,\n100.m4s\n', '#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n');
  assert.deepEqual(edgeOf(delta), edgeOf(live));
  const plain = '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:5\n#EXTINF:2,\n5.m4s\n#EXT-X-ENDLIST\n';
  assert.deepEqual(edgeOf(plain), { msn: 6, parts: 0, blocks: false, ended: true });
  assert.ok(position(edgeOf(live)) > position({ msn: 102, parts: 1, blocks: true, ended: false }));
});

test('an answer to a blocking request', () => {
  const edge = edgeOf(live);
  const old = (query: string): boolean => isOld(`https://a.example/live.m3u8${query}`, edge);
  assert.equal(old(''), false);
  assert.equal(old('?_HLS_msn=101'), false);
  assert.equal(old('?_HLS_msn=102&_HLS_part=1'), false);
  assert.equal(old('?_HLS_msn=102&_HLS_part=2'), true);
  assert.equal(old('?_HLS_msn=102'), true);
  assert.equal(old('?_HLS_msn=103&_HLS_part=0'), true);
  assert.equal(isOld('https://a.example/live.m3u8?_HLS_msn=103', { ...edge, ended: true }), false);
});

test('a page is not a playlist', () => {
  assert.ok(isPlaylist(live));
  assert.ok(!isPlaylist('<!doctype html>'));
  assert.ok(!isPlaylist(''));
});

test('CRC-32 of a name', () => {
  assert.equal(crc32('123456789'), 0xcbf43926); // the check value
  assert.equal(crc32(''), 0);
});

function box(type: string, ...inside: Uint8Array[]): Uint8Array {
  const body = inside.flatMap((b) => [...b]);
  const size = 8 + body.length;
  return Uint8Array.from([size >> 24, size >> 16, size >> 8, size, ...Buffer.from(type), ...body]);
}

const mark = (name: string): Uint8Array => {
  const crc = crc32(name);
  return box('free', Uint8Array.from([...Buffer.from('lwst'), crc >>> 24, crc >>> 16, crc >>> 8, crc]));
};

const bytes = (...boxes: Uint8Array[]): ArrayBuffer => Uint8Array.from(boxes.flatMap((b) => [...b])).buffer;

test('media of this station, of another one, and what is none', () => {
  const part = (name: string): ArrayBuffer => bytes(box('styp', Buffer.from('cmfs')), box('moof', box('mfhd'), mark(name)), box('mdat'));
  assert.ok(isOurs(part('talk'), 'talk'));
  assert.ok(!isOurs(part('news'), 'talk'));
  assert.ok(isOurs(part('news'), ''), 'a page that does not know its station takes all');
  assert.ok(isOurs(bytes(box('moof', box('mfhd')), box('mdat')), 'talk'), 'an encoder that is not ours has no mark');
  assert.ok(isOurs(bytes(box('moof', box('free', Buffer.from('12345678'))), box('mdat')), 'talk'));
  assert.ok(isOurs(bytes(box('ftyp'), box('moov')), 'talk'), 'an init segment');
  const page: Uint8Array = Buffer.from('<!doctype html><title>Just a moment</title>');
  assert.ok(!isOurs(bytes(page), 'talk'));
  assert.ok(!isOurs(bytes(), 'talk'));
  assert.ok(!isOurs(bytes(box('styp')), 'talk'));
});
