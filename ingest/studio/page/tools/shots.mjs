// Pictures of the page in each state, for looking at: shots/{state}-{width}-{scheme}-{language}.png
//
//   npm run shots                   all of them
//   npm run shots -- green air      these states
//   ENGINE=firefox npm run shots    in Firefox: shots/firefox-…
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browser, scheme } from './browser.mjs';
import { fake } from './fake.mjs';
import { lead, states } from './states.mjs';

const out = join(dirname(fileURLToPath(import.meta.url)), '../shots');
const engine = process.env.ENGINE || 'chromium';
const looks = [
  { name: '1280-light-en', width: 1280, height: 900, colorScheme: 'light', locale: 'en-GB' },
  { name: '1280-dark-de', width: 1280, height: 900, colorScheme: 'dark', locale: 'de-DE' },
  { name: '360-light-de', width: 360, height: 740, colorScheme: 'light', locale: 'de-DE' },
  { name: '360-dark-en', width: 360, height: 740, colorScheme: 'dark', locale: 'en-GB' },
];

async function shoot(started, look, state) {
  const { name, width, height, ...rest } = look;
  const server = await fake();
  const context = await started.newContext({ viewport: { width, height }, ...rest });
  try {
    const page = await lead(context, server, state);
    const dialog = await page.$('dialog[open]');
    // As high as the page, so that what is fixed to the window is where it would be.
    const whole = await page.evaluate(() => document.documentElement.scrollHeight);
    if (!dialog && whole > height) await page.setViewportSize({ width, height: whole });
    await page.screenshot({ path: join(out, `${engine === 'chromium' ? '' : `${engine}-`}${state}-${name}.png`) });
  } finally {
    await context.close();
    await server.stop();
  }
}

const wanted = process.argv.slice(2);
await mkdir(out, { recursive: true });
for (const scheming of ['light', 'dark']) {
  const started = await browser(180, engine, engine === 'firefox' ? { prefs: { ...scheme(scheming), 'media.autoplay.default': 0 } } : {});
  try {
    for (const state of Object.keys(states)) {
      if (wanted.length > 0 && !wanted.includes(state)) continue;
      for (const look of looks.filter((l) => l.colorScheme === scheming)) {
        await shoot(started, look, state).catch((error) => {
          throw new Error(`${state}, ${look.name}`, { cause: error });
        });
      }
      console.log(scheming, state);
    }
  } finally {
    await started.close();
  }
}
