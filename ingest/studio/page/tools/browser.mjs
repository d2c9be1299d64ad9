// The browsers of tests and pictures: the system's, with a voice at their microphones.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, firefox } from 'playwright-core';
import { sound } from './sound.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const peer = join(here, 'peer.js');

/**
 * Four seconds of a tone of a voice's height that swells like syllables, peaks at -10 dB:
 * 48 kHz, stereo, s16le. One that breathes is silent for 0.3 s of each: what is always
 * there is noise to Firefox, and taken away.
 */
function voice(hz, breathes = false) {
  const [rate, seconds] = [48_000, 4];
  const pcm = Buffer.alloc(rate * seconds * 4);
  for (let i = 0; i < rate * seconds; i++) {
    const swell = 0.55 + 0.45 * Math.sin((2 * Math.PI * 4 * i) / rate);
    const second = (i % rate) / rate;
    const breath = breathes ? Math.min(1, Math.max(0, 100 * Math.min(second, 0.7 - second))) : 1;
    const x = Math.round(10_000 * breath * swell * Math.sin((2 * Math.PI * hz * i) / rate));
    pcm.writeInt16LE(x, i * 4);
    pcm.writeInt16LE(x, i * 4 + 2);
  }
  return pcm;
}

/** The same as a WAV file: Chromium wants one, and stereo. */
function voiceFile(hz) {
  const pcm = voice(hz);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + pcm.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20); // PCM
  head.writeUInt16LE(2, 22); // channels
  head.writeUInt32LE(48_000, 24);
  head.writeUInt32LE(48_000 * 4, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(pcm.length, 40);
  const path = join(here, `../node_modules/.cache/voice-${hz}.wav`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.concat([head, pcm]));
  return path;
}

const engines = {
  chromium: (hz, more) =>
    chromium.launch({
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      args: [
        '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic',
        '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${voiceFile(hz)}`,
        '--allow-loopback-in-peer-connection', '--autoplay-policy=no-user-gesture-required',
      ],
      ...more,
    }),
  // Firefox as Mozilla and Debian ship it, by WebDriver BiDi: a microphone of a sound
  // server's, that is opened without asking; the page does not know that it will be, as at
  // a first visit.
  firefox: async (hz, { prefs, ...more } = {}) => {
    const { env, stop } = await sound(voice(hz, true));
    try {
      const started = await firefox.launch({
        channel: 'moz-firefox',
        executablePath: process.env.FIREFOX || '/usr/bin/firefox-esr',
        env: { ...process.env, ...env },
        firefoxUserPrefs: { ...quiet, 'media.navigator.permission.disabled': true, ...prefs },
        ...more,
      });
      const close = started.close.bind(started);
      started.close = () => close().finally(stop);
      return started;
    } catch (error) {
      await stop();
      throw error;
    }
  },
};

/** Firefox takes a scheme from a preference alone, BiDi has no word for it yet. */
export const scheme = (name) => ({ 'layout.css.prefers-color-scheme.content-override': name === 'dark' ? 0 : 1 });

/** Keeps Firefox from asking the world anything. */
const quiet = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.newtabpage.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'captivedetect.canonicalURL': '',
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.getAddons.cache.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.enabled': false,
};

/** A browser with a voice of this height at its microphone. */
export const browser = (hz = 180, engine = 'chromium', more = {}) => engines[engine](hz, more);

/** As in a browser that was allowed to for good. */
const allowed = () => {
  navigator.permissions.query = () => Promise.resolve({ state: 'granted' });
};

/** A page with the media's other end in it and leave to use the microphone. */
export async function newPage(context) {
  const knows = context.browser().browserType().name() !== 'firefox'; // that permission was given
  if (knows) await context.grantPermissions(['microphone']);
  const page = await context.newPage();
  if (!knows) await page.addInitScript(allowed);
  await page.addInitScript({ path: peer });
  return page;
}
