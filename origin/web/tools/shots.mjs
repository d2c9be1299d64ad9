// Pictures of the page in each state, for looking at: shots/{state}-{width}-{scheme}-{language}.png
//
//   npm run shots                          all of them
//   npm run shots -- live reconnecting     these states
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lead, states } from './states.mjs';
import { browser, station } from './station.mjs';

const out = join(dirname(fileURLToPath(import.meta.url)), '../shots');
const looks = [
  { name: '1280-light-en', width: 1280, height: 800, colorScheme: 'light', locale: 'en-GB' },
  { name: '1280-dark-de', width: 1280, height: 800, colorScheme: 'dark', locale: 'de-DE' },
  { name: '360-light-de', width: 360, height: 740, colorScheme: 'light', locale: 'de-DE' },
  { name: '360-dark-en', width: 360, height: 740, colorScheme: 'dark', locale: 'en-GB' },
];

async function shoot(chromium, url, look, state) {
  const { name, width, height, ...rest } = look;
  const context = await chromium.newContext({ viewport: { width, height }, ...rest });
  try {
    const page = await lead(context, url, state);
    await page.screenshot({ path: join(out, `${state}-${name}.png`) });
  } finally {
    await context.close();
  }
}

const wanted = process.argv.slice(2);
const { url, stop } = await station();
const chromium = await browser();
try {
  await mkdir(out, { recursive: true });
  for (const state of Object.keys(states)) {
    if (wanted.length > 0 && !wanted.includes(state)) continue;
    for (const look of looks) await shoot(chromium, url, look, state);
    console.log(state);
  }
} finally {
  await chromium.close();
  await stop();
}
