// The acoustic meter: opens a player in headless Chromium, presses play, listens
// at its output and tells how late the ruler of bursts/ is heard and where it is
// silent. One JSON object on standard output; exit 1 when no tone was heard.
//
//   node meter.mjs --url http://localhost:8080/talk/ --seconds 60 --label low
//   node meter.mjs --player bare --url http://localhost:8080/talk/opus.m3u8
//   node meter.mjs --url … --fault '20=kill -9 1234' --fault '30=offline' --fault '35=online'
//
// The source of the ruler and the browser have to be on one machine: the figure
// is the difference of two readings of its clock.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { report } from './figures.mjs';

// One lock file pins what both the page and the bench use.
const require = createRequire(new URL('../../../origin/web/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const flags = [
  '--no-sandbox',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
];

/** Starts the browser that the measurements use. */
export function launch(more = []) {
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  return chromium.launch({ executablePath, headless: true, args: [...flags, ...more], ignoreDefaultArgs: ['--mute-audio'] });
}

/**
 * Measures. settings: url, seconds, settle (seconds left out after the first
 * sound), player ('page' or 'bare'), mode ('fast' or 'reliable', of the page), faults ([{ second, deed }]).
 */
export async function measure(settings) {
  const browser = await launch();
  try {
    return await run(browser, { seconds: 60, settle: 10, player: 'page', faults: [], ...settings });
  } finally {
    await browser.close();
  }
}

async function run(browser, settings) {
  const { heard, pressed, ended, tap, messages } = await listen(browser, settings);
  const figures = report(heard, { pressed, ended, settleMs: 1000 * settings.settle });
  return { ...figures, outputLatencyMs: Math.round(1000 * tap.outputLatency), messages: messages.slice(0, 20) };
}

/** Plays for some seconds and returns what was heard. */
export async function listen(browser, settings) {
  // The tap's worklet comes from a blob, which the page's own policy forbids.
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  const heard = [];
  const messages = [];
  let ready;
  const tapped = new Promise((resolve, reject) => {
    ready = { resolve, reject };
  });
  await page.exposeFunction('longwaveTap', (event) => {
    if (event.type === 'ready') ready.resolve(event);
    else if (event.type === 'error') ready.reject(new Error(event.text));
    else heard.push(event);
  });
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && messages.push(m.text()));
  page.on('pageerror', (e) => messages.push(String(e)));
  for (const name of ['bursts.js', 'tap.js']) {
    await page.addInitScript({ content: await readFile(new URL(name, import.meta.url), 'utf8') });
  }
  await open(page, settings);
  const tap = await tapped;
  await settings.begin?.(); // where several listen they begin together
  const pressed = Date.now();
  await press(page, settings);
  await Promise.all([sleep(1000 * settings.seconds), ...settings.faults.map((f) => strike(context, f))]);
  return { heard, pressed, ended: Date.now(), tap, messages };
}

async function open(page, { url, player }) {
  if (player === 'page') {
    await page.goto(url);
    // What is pressed before is only remembered: then the page's own loading counts too.
    await page.waitForFunction(() => window.longwaveEngine === 'ready' || window.longwaveEngine === 'none');
    return;
  }
  const script = await readFile(require.resolve('hls.js/dist/hls.min.js'), 'utf8');
  const html = '<!doctype html><script src="hls.js"></script><audio></audio>';
  // At the playlist's own host: Chromium lets no public page ask this machine.
  const bare = new URL('/meter-bare/', url).href;
  await page.route(`${bare}**`, (route) => {
    const isScript = route.request().url().endsWith('hls.js');
    return route.fulfill({ contentType: isScript ? 'text/javascript' : 'text/html', body: isScript ? script : html });
  });
  await page.goto(bare);
}

async function press(page, { url, player, mode }) {
  if (player === 'page') {
    if (mode) await page.selectOption('#mode', mode);
    return page.click('#toggle');
  }
  return page.evaluate((source) => {
    const audio = document.querySelector('audio');
    const hls = new Hls({ enableWorker: false, lowLatencyMode: true });
    hls.loadSource(source);
    hls.attachMedia(audio);
    void audio.play();
    setInterval(() => {
      const detail = { phase: 'bare', latency: hls.latency, target: hls.targetLatency, rate: audio.playbackRate };
      detail.bitrate = hls.levels[hls.currentLevel]?.bitrate;
      dispatchEvent(new CustomEvent('longwave:state', { detail }));
    }, 200);
  }, url);
}

/** Does what a fault says at its second: offline, online, or a command of the shell. */
async function strike(context, { second, deed }) {
  await sleep(1000 * second);
  if (deed === 'offline' || deed === 'online') return context.setOffline(deed === 'offline');
  spawn('sh', ['-c', deed], { stdio: ['ignore', 'ignore', 'inherit'], detached: true }).unref();
}

function parseFault(text) {
  const [, second, deed] = /^([0-9.]+)=(.+)$/.exec(text) ?? [];
  if (!deed) throw new Error(`--fault ${text}: want SECOND=offline, SECOND=online or SECOND=command`);
  return { second: Number(second), deed };
}

async function main() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      seconds: { type: 'string', default: '60' },
      settle: { type: 'string', default: '10' },
      label: { type: 'string', default: '' },
      player: { type: 'string', default: 'page' },
      mode: { type: 'string', default: '' },
      fault: { type: 'string', multiple: true, default: [] },
    },
  });
  if (!values.url) throw new Error('--url is missing: the address of a station or, with --player bare, of a playlist');
  const figures = await measure({
    url: values.url,
    seconds: Number(values.seconds),
    settle: Number(values.settle),
    player: values.player,
    mode: values.mode,
    faults: values.fault.map(parseFault),
  });
  const load = loadavg()[0];
  console.log(JSON.stringify({ label: values.label, load: Math.round(100 * load) / 100, ...figures }, null, 2));
  if (figures.tones === 0) process.exitCode = 1;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  main().catch((e) => {
    console.error(`meter: ${e.message}`);
    process.exitCode = 1;
  });
}
