// An evening in the real studio: a host and two guests in browsers of their own, each
// with a voice of its own at its microphone, at a server that really runs.
//
//   node tools/evening.mjs '{"host":"http://localhost:8080/studio/talk#…","shots":"folder"}'
//
// The host makes the guests' links, takes them on air, goes live, mutes, plays the hold
// and ends; a guest's browser is killed and comes back. Prints when what was done, as
// JSON: {"done":{"live":ms,…},"returns":{"Anna":packets,…},"gap":ms}. Exit 1 with the
// reason when a page does not do what it should.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { browser } from './browser.mjs';

const settings = JSON.parse(process.argv[2]);
const { shots = '', voices = { Host: 220, Anna: 330, Bert: 440 } } = settings;
const lasts = 1000 * (settings.seconds ?? 5); // of each scene
const done = {};
const people = {};
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const mark = (name) => (done[name] = Date.now());

/** Opens a studio in a browser of its own and joins. */
async function enter(name, url) {
  const chromium = await browser(voices[name]);
  const context = await chromium.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(45_000);
  await context.grantPermissions(['microphone']);
  const page = await context.newPage();
  const said = [];
  page.on('console', (m) => m.type() === 'error' && said.push(m.text()));
  page.on('pageerror', (e) => said.push(String(e)));
  await page.addInitScript(() => {
    window.ears = [];
    const Peer = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
      constructor(...args) {
        super(...args);
        window.ears.push(this);
      }
    };
  });
  people[name] = { name, chromium, page, said, url };
  await page.goto(url);
  await page.waitForSelector('.advice[data-advice="level_good"], .advice[data-advice="level_loud"]');
  await shot(name, 'check');
  await page.click('.join');
  await page.waitForSelector('.own');
  return page;
}

/** What a page has heard: sound received, in seconds and energy. */
const hears = (page) =>
  page.evaluate(async () => {
    const sum = { energy: 0, seconds: 0, concealed: 0 };
    for (const pc of window.ears) {
      for (const s of (await pc.getStats()).values()) {
        if (s.type !== 'inbound-rtp' || s.kind !== 'audio') continue;
        sum.energy += s.totalAudioEnergy;
        sum.seconds += s.totalSamplesDuration;
        sum.concealed += s.concealedSamples;
      }
    }
    return sum;
  });

async function shot(name, what) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  const { page } = people[name];
  for (const [width, scheme] of [[1280, 'light'], [360, 'dark']]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: scheme });
    await sleep(150);
    await page.screenshot({ path: join(shots, `${what}-${name.toLowerCase()}-${width}-${scheme}.png`), fullPage: true });
  }
}

/** Makes a guest's link as a host does. */
async function invite(host, name) {
  await host.click('text=New link');
  await host.fill('dialog[open] input:not([type=checkbox])', name);
  await host.click('dialog[open] button[type=submit]');
  const url = await host.waitForSelector('dialog[open] .copyrow code');
  const text = (await url.textContent()).trim();
  await host.click('dialog[open] .buttons .primary');
  await host.waitForSelector('dialog[open]', { state: 'detached' }).catch(() => {});
  return text;
}

const seatOf = (host, name) => host.locator(`[data-seat]:has-text("${name}")`).first();

async function evening() {
  const host = await enter('Host', settings.host);
  const links = { Anna: await invite(host, 'Anna'), Bert: await invite(host, 'Bert') };
  const [anna] = await Promise.all([enter('Anna', links.Anna), enter('Bert', links.Bert)]);
  await anna.waitForSelector('[data-place="green"]');
  mark('green');
  await sleep(lasts);
  for (const name of ['Anna', 'Bert']) {
    await seatOf(host, name).getByText('Take on air').click();
    await host.waitForSelector(`.onair [data-seat]:has-text("${name}")`);
  }
  await shot('Host', 'ready');
  await host.click('.golive[data-deed="live"]');
  for (const p of Object.values(people)) await p.page.waitForSelector('body[data-air]');
  mark('live');
  await shot('Host', 'live');
  await shot('Anna', 'live');
  await sleep(2 * lasts);

  await seatOf(host, 'Anna').getByText('Mute', { exact: true }).click();
  await anna.waitForSelector('text=You are muted at the desk');
  mark('mute');
  await sleep(lasts);
  await seatOf(host, 'Anna').getByText(/^(Mute|Unmute)$/).click();
  await anna.waitForSelector('text=You are muted at the desk', { state: 'detached' });
  mark('unmute');
  await sleep(lasts);

  // A browser is killed, as a computer that loses its power.
  await kill('Bert');
  mark('killed');
  await sleep(lasts);
  mark('comes');
  const bert = await enter('Bert', links.Bert);
  await bert.waitForSelector('body[data-air]');
  mark('back');
  await sleep(lasts);
  await host.click('.holdbutton');
  await anna.waitForSelector('[data-place="held"]');
  mark('hold');
  await sleep(lasts);
  await host.click('.holdbutton');
  await anna.waitForSelector('body[data-air]');
  mark('unhold');
  await sleep(lasts);

  const returns = {};
  for (const p of Object.values(people)) returns[p.name] = await hears(p.page);
  await host.click('.golive[data-deed="end"]');
  await shot('Host', 'end');
  await host.click('dialog[open] .danger');
  await host.waitForSelector('.golive[data-deed="live"]');
  mark('end');
  await sleep(lasts);
  await shot('Host', 'ended');
  mark('over');
  return { done, returns, said: Object.fromEntries(Object.values(people).map((p) => [p.name, p.said])) };
}

/** Ends a browser without letting it say goodbye. */
async function kill(name) {
  const { page, chromium } = people[name];
  const session = await chromium.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  for (const p of processInfo) {
    try {
      process.kill(p.id, 'SIGKILL');
    } catch {
      // its parent was quicker
    }
  }
  await page.waitForEvent('close', { timeout: 5000 }).catch(() => {});
}

let status = 0;
try {
  console.log(JSON.stringify(await evening()));
} catch (error) {
  status = 1;
  for (const p of Object.values(people)) {
    const text = await p.page.evaluate(() => document.body.innerText).catch((e) => String(e));
    console.error(`--- ${p.name}\n${text}\n${p.said.join('\n')}`);
  }
  console.error(`after ${JSON.stringify(done)}: ${error.stack}`);
} finally {
  await Promise.all(Object.values(people).map((p) => p.chromium.close().catch(() => {})));
}
process.exit(status);
