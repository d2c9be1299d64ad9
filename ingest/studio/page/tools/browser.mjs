// The browser of tests and pictures: the system's, with a voice at its microphone.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const peer = join(here, 'peer.js');

/** A WAV file of four seconds: a tone of a voice's height that swells like syllables, peaks at -10 dB. */
function voice(hz) {
  const [rate, seconds] = [48_000, 4];
  const frames = rate * seconds;
  const wav = Buffer.alloc(44 + frames * 4);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(2, 22); // channels: Chromium wants a stereo file
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(rate * 4, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(frames * 4, 40);
  for (let i = 0; i < frames; i++) {
    const swell = 0.55 + 0.45 * Math.sin((2 * Math.PI * 4 * i) / rate);
    const x = Math.round(10_000 * swell * Math.sin((2 * Math.PI * hz * i) / rate));
    wav.writeInt16LE(x, 44 + i * 4);
    wav.writeInt16LE(x, 46 + i * 4);
  }
  const path = join(here, `../node_modules/.cache/voice-${hz}.wav`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, wav);
  return path;
}

export const browser = (hz = 180) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic',
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${voice(hz)}`,
      '--allow-loopback-in-peer-connection', '--autoplay-policy=no-user-gesture-required',
    ],
  });

/** A page with the media's other end in it and leave to use the microphone. */
export async function newPage(context) {
  await context.grantPermissions(['microphone']);
  const page = await context.newPage();
  await page.addInitScript({ path: peer });
  return page;
}
