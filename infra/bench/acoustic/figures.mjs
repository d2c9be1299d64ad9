// From what the tap heard to figures. Pure. Times are milliseconds.

/** How long ago a tone was made: its name tells the second modulo 5. */
export function delayOf(tone, at) {
  return (((at - 1000 * tone) % 5000) + 5000) % 5000;
}

export function percentile(sorted, p) {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil((p / 100) * sorted.length) - 1))];
}

const round = (x) => (x === null || x === undefined ? null : Math.round(x * 10) / 10);

/** How late what was heard is after what was said: a tone comes again after 5 s. */
export function pairs(said, heard) {
  return heard.flatMap(({ tone, at }) => {
    const before = said.filter((s) => s.tone === tone && s.at <= at && s.at > at - 4500);
    return before.length > 0 ? [at - before.at(-1).at] : [];
  });
}

/** Distribution of the delays of tones. */
export const delays = (tones) => spread(tones.map(({ tone, at }) => delayOf(tone, at)));

/** Distribution of some times. */
export function spread(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (p) => round(percentile(sorted, p));
  return { count: sorted.length, p50: at(50), p95: at(95), min: round(sorted[0]), max: round(sorted.at(-1)) };
}

/** Silences after the first sound. One that lasts to the end is marked open. */
export function gaps(heard, end) {
  const list = [];
  let silentFrom = null;
  for (const { type, at } of heard) {
    if (type === 'silence') silentFrom = at;
    if (type === 'sound' && silentFrom !== null) {
      list.push({ at: silentFrom, ms: at - silentFrom });
      silentFrom = null;
    }
  }
  if (silentFrom !== null) list.push({ at: silentFrom, ms: end - silentFrom, open: true });
  return list;
}

/**
 * The report of a run. heard is what the tap sent, in order; pressed is when
 * play was pressed, ended when listening ended; settleMs is what is left out of
 * the delays after the first sound.
 */
export function report(heard, { pressed, ended, settleMs }) {
  const of = (type) => heard.filter((h) => h.type === type);
  const first = of('sound')[0]?.at ?? null;
  const tones = of('tone');
  const settled = tones.filter(({ at }) => first !== null && at >= first + settleMs);
  const silences = gaps(heard, ended).map(({ at, ms, ...rest }) => ({
    second: round((at - pressed) / 1000),
    ms: round(ms),
    ...rest,
  }));
  return {
    startUpMs: first === null ? null : round(first - pressed),
    firstToneMs: tones[0] ? round(delayOf(tones[0].tone, tones[0].at)) : null,
    mouthToEarMs: delays(settled),
    tones: tones.length,
    gapMs: round(silences.reduce((sum, g) => sum + g.ms, 0)),
    gaps: silences,
    player: player(of('state'), pressed),
  };
}

/** The player's own account: changes of phase, and its figures from the tenth second on. */
export function player(states, pressed) {
  const log = [];
  for (const { at, detail } of states) {
    const last = log.at(-1);
    const entry = { phase: detail.phase, onAir: detail.onAir, bitrate: detail.bitrate ?? 0 };
    if (last && last.phase === entry.phase && last.onAir === entry.onAir && last.bitrate === entry.bitrate) continue;
    log.push({ second: round((at - pressed) / 1000), ...entry });
  }
  const late = states.filter(({ at, detail }) => at > pressed + 10_000 && Number.isFinite(detail.latency));
  const spread = (key) => {
    const sorted = late.map(({ detail }) => detail[key]).sort((a, b) => a - b);
    const r3 = (x) => (x === null ? null : Math.round(x * 1000) / 1000);
    return { p5: r3(percentile(sorted, 5)), p50: r3(percentile(sorted, 50)), p95: r3(percentile(sorted, 95)) };
  };
  const target = late.at(-1)?.detail.target ?? null;
  return { log, target, latency: spread('latency'), buffer: spread('buffer'), rate: spread('rate') };
}
