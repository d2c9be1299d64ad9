// Measures how late a voice is at another speaker's ear and at a listener's: a speaker
// in a studio page with the ruler at the microphone, another one in a browser of their
// own who hears the return, and a listener at the station's page. One JSON object on
// standard output:
//
//   node studio.mjs '{"mouth":"http://…/studio/talk#…","ear":"http://…/studio/talk#…","listen":"http://…/talk/","alone":14,"seconds":14,"settle":8}'
//
// For alone seconds there are only the two, and the return is measured; then the listener
// comes for some seconds. The first of both, settle, are left out.
//
// The microphone is a file, whose bursts count from when the browser captured them;
// what devices add at both ends is not in it, but for the output's own buffer.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pairs, spread } from './figures.mjs';
import { launch, listen } from './meter.mjs';

const rate = 48_000;

/** The ruler of bursts/, five seconds of it without its place in time, or silence. */
export function microphone(ruler) {
  const tones = [2000, 2600, 3400, 4400, 5800];
  const frames = tones.length * rate;
  const wav = Buffer.alloc(44 + 4 * frames);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(2, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(4 * rate, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(4 * frames, 40);
  for (let i = 0; ruler && i < frames; i++) {
    const into = i % rate;
    const fade = Math.min(1, (into + 1) / 48, (2880 - into) / 48);
    const burst = 0.7 * fade * Math.sin((2 * Math.PI * tones[Math.floor(i / rate)] * into) / rate);
    const x = into < 2880 ? burst : 0.25 * Math.sin((2 * Math.PI * 440 * into) / rate);
    wav.writeInt16LE(Math.round(32_767 * x), 44 + 4 * i);
    wav.writeInt16LE(Math.round(32_767 * x), 46 + 4 * i);
  }
  return wav;
}

/** A browser with a file at its microphone. */
export const speakerBrowser = (wav) =>
  launch([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-audio-capture=${wav}`,
    '--allow-loopback-in-peer-connection',
  ]);

/** Opens a studio. tap, when there is one, is told what the page's microphone and return have. */
export async function open(browser, url, tap) {
  const context = await browser.newContext({ bypassCSP: true, locale: 'en-GB' });
  context.setDefaultTimeout(30_000);
  await context.grantPermissions(['microphone']);
  const page = await context.newPage();
  if (tap) {
    await page.exposeFunction('longwaveTap', tap);
    for (const name of ['bursts.js', 'studio.js', 'tap.js']) {
      await page.addInitScript({ content: await readFile(new URL(name, import.meta.url), 'utf8') });
    }
  }
  await page.goto(url);
  return page;
}

/** Presses join as soon as the page lets somebody, and waits until they are in. */
export async function enter(page) {
  await page.click('.join:enabled');
  const joined = Date.now();
  await page.waitForSelector('.own');
  return joined;
}

/** Takes all on air as the host whose studio's address it is, when so many are there. */
export async function takeOnAir(studio, many) {
  const { origin, pathname, hash } = new URL(studio);
  const api = `${origin}/api/v1/stations/${pathname.split('/').at(-1)}/speakers`;
  const headers = { Authorization: `Bearer ${hash.slice(1)}`, 'Content-Type': 'application/json' };
  const ask = async (url, more) => {
    const answer = await fetch(url, { headers, ...more });
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  for (let tries = 0; tries < 50; tries++, await sleep(100)) {
    const { speakers } = await ask(api);
    const there = speakers.filter((s) => s.connected);
    if (there.length < many) continue;
    for (const { seat } of there) await ask(`${api}/${seat}`, { method: 'PATCH', body: '{"on_air":true}' });
    return;
  }
  throw new Error(`fewer than ${many} speakers came`);
}

/** How long a page's receiver has held sound back, in ms a sample on the average. */
const held = (page) =>
  page.evaluate(async () => {
    const [delay, count] = [[], []];
    for (const pc of window.longwavePeers) {
      for (const s of (await pc.getStats()).values()) {
        if (s.type === 'inbound-rtp') [delay[0], count[0]] = [s.jitterBufferDelay, s.jitterBufferEmittedCount];
      }
    }
    return (1000 * delay[0]) / count[0];
  });

async function main() {
  const settings = JSON.parse(process.argv[2]);
  const dir = await mkdtemp(join(tmpdir(), 'longwave-studio-'));
  const browsers = [];
  try {
    const browser = async (name, ruler) => {
      const wav = join(dir, `${name}.wav`);
      await writeFile(wav, microphone(ruler));
      const b = await speakerBrowser(wav);
      browsers.push(b);
      return b;
    };
    const [one, other] = await Promise.all([browser('mouth', true), browser('ear', false)]);
    const [said, heard, trouble] = [[], [], []];
    const mouth = await open(one, settings.mouth, (e) => {
      if (e.type === 'mouth') said.push(e);
      else if (e.type === 'error') trouble.push(e.text);
    });
    const ear = await open(other, settings.ear, (e) => {
      if (e.type === 'tone') heard.push(e);
      else if (e.type === 'error') trouble.push(e.text);
    });
    await Promise.all([enter(mouth), enter(ear)]);
    await takeOnAir(settings.mouth, 2);
    const came = Date.now();
    await sleep(1000 * settings.alone);
    const holds = await held(ear);
    const air = await listen(other, { url: settings.listen, seconds: settings.seconds, player: 'page', faults: [] });
    const within = (list, from, to) => list.filter(({ type, at }) => type === 'tone' && at >= from && at < to);
    const settled = (from) => from + 1000 * settings.settle;
    const result = {
      returnMs: spread(pairs(said, within(heard, settled(came), air.pressed))),
      airMs: spread(pairs(said, within(air.heard, settled(air.pressed), air.ended))),
      captureMs: spread(said.map(({ at, told }) => told - at)),
      heldMs: holds,
      messages: [...trouble, ...air.messages].slice(0, 20),
    };
    console.log(JSON.stringify(result));
  } finally {
    await Promise.all(browsers.map((b) => b.close()));
    await rm(dir, { recursive: true });
  }
}

if (process.argv[1]?.endsWith('studio.mjs')) {
  main().catch((e) => {
    console.error(`studio: ${e.stack}`);
    process.exitCode = 1;
  });
}
