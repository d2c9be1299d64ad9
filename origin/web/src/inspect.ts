// Whether an answer with status 200 is what was asked for. Pure.

/** The newest of a media playlist: the MSN of the segment under way, and how many parts of it are listed. */
export interface Edge {
  readonly msn: number;
  readonly parts: number;
  readonly blocks: boolean;
  readonly ended: boolean;
}

export const isPlaylist = (text: string): boolean => text.startsWith('#EXTM3U');

const number = (text: string, tag: RegExp): number => Number(tag.exec(text)?.[1] ?? 0);

export function edgeOf(text: string): Edge {
  const segments = text.match(/^#EXTINF:/gm)?.length ?? 0;
  const skipped = number(text, /^#EXT-X-SKIP:.*SKIPPED-SEGMENTS=(\d+)/m);
  const open = text.slice(text.lastIndexOf('\n#EXTINF:') + 1);
  return {
    msn: number(text, /^#EXT-X-MEDIA-SEQUENCE:(\d+)/m) + skipped + segments,
    parts: open.match(/^#EXT-X-PART:/gm)?.length ?? 0,
    blocks: /^#EXT-X-SERVER-CONTROL:.*CAN-BLOCK-RELOAD=YES/m.test(text),
    ended: /^#EXT-X-ENDLIST/m.test(text),
  };
}

/** One number that grows with the edge. */
export const position = ({ msn, parts }: Edge): number => 1000 * msn + parts;

/** Whether the answer to a request with delivery directives (rfc8216bis section 6.2.5.2) is older than what was asked for. */
export function isOld(url: string, edge: Edge): boolean {
  const query = new URL(url).searchParams;
  const msn = query.get('_HLS_msn');
  if (msn === null || edge.ended || !edge.blocks) return false;
  const part = query.get('_HLS_part');
  const want = Number(msn);
  return edge.msn < want || (edge.msn === want && (part === null || edge.parts <= Number(part)));
}

/** CRC-32 (RFC 1952 section 8): what the parts of a station are marked with is that of its name. */
export function crc32(text: string): number {
  let crc = -1;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** The inside of the first box of a type (ISO/IEC 14496-12 section 4.2). */
function box(data: DataView, type: string): DataView | null {
  for (let at = 0; at + 8 <= data.byteLength; ) {
    const size = data.getUint32(at);
    if (size < 8 || at + size > data.byteLength) return null;
    if (ascii(data, at + 4) === type) return new DataView(data.buffer, data.byteOffset + at + 8, size - 8);
    at += size;
  }
  return null;
}

const ascii = (data: DataView, at: number): string => String.fromCharCode(...[0, 1, 2, 3].map((i) => data.getUint8(at + i)));

/**
 * Whether a file is media, and of this station. Each part of ours has the station's mark in a
 * free box at the end of its moof; what has no mark is taken, it may be somebody else's encoder.
 */
export function isOurs(bytes: ArrayBuffer, station: string): boolean {
  const data = new DataView(bytes);
  if (box(data, 'moov')) return true; // an init segment
  const moof = box(data, 'moof');
  if (!moof) return false;
  const free = box(moof, 'free');
  if (free?.byteLength !== 8 || ascii(free, 0) !== 'lwst') return true;
  return station === '' || free.getUint32(4) === crc32(station);
}
