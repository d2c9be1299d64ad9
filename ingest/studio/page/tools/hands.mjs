// What people do in the real studio, in browsers of their own, and what they hear.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { browser } from './browser.mjs';

/** Keeps a page's connections where a test finds them. */
const keepEars = () => {
  window.ears = [];
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) {
      super(...args);
      window.ears.push(this);
    }
  };
};

/** What a page has heard: sound received, in seconds and energy. */
export const hears = (page) =>
  page.evaluate(async () => {
    const sum = { energy: 0, seconds: 0, concealed: 0 };
    for (const pc of window.ears) {
      if (pc.signalingState === 'closed') continue; // Firefox tells nothing any more
      for (const s of (await pc.getStats()).values()) {
        if (s.type !== 'inbound-rtp' || s.kind !== 'audio') continue;
        sum.energy += s.totalAudioEnergy;
        sum.seconds += s.totalSamplesDuration;
        sum.concealed += s.concealedSamples;
      }
    }
    return sum;
  });

/** Makes a guest's link as a host does. */
export async function invite(host, name) {
  await host.click('text=New link');
  await host.fill('dialog[open] input:not([type=checkbox])', name);
  await host.click('dialog[open] button[type=submit]');
  const url = await host.waitForSelector('dialog[open] .copyrow code');
  const text = (await url.textContent()).trim();
  await host.click('dialog[open] .buttons .primary');
  await host.waitForSelector('dialog[open]', { state: 'detached' }).catch(() => {});
  return text;
}

export const seatOf = (host, name) => host.locator(`[data-seat]:has-text("${name}")`).first();

/** Waits for a good level and comes in. asks: whether the browser wants a click before it opens the microphone. */
export async function comeIn(page, asks, checked = () => {}) {
  if (asks) {
    await page.click('.door button:has-text("Allow the microphone")');
    // Firefox's noise suppression takes a steady voice out for seconds: as music nothing is done to it.
    await page.check('.door input[role="switch"]');
  }
  await page.waitForSelector('.advice[data-advice="level_good"], .advice[data-advice="level_loud"]');
  await checked();
  await page.click('.join');
  await page.waitForSelector('.own');
}

/** People at the studio, each in a browser of their own with a voice of their own. */
export class People {
  people = {};

  /** voices: pitches in Hz by name; engines: browsers by name, Chromium when not said; shots: a folder, or '' */
  constructor({ voices, engines = {}, shots = '' }) {
    Object.assign(this, { voices, engines, shots });
  }

  page = (name) => this.people[name].page;
  all = () => Object.values(this.people);

  /** Opens a studio in a browser of its own and joins. */
  async enter(name, url) {
    const started = await browser(this.voices[name], this.engines[name]);
    this.people[name] = { name, browser: started, said: [], url };
    const context = await started.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(45_000);
    const page = await context.newPage();
    const asks = this.engines[name] === 'firefox';
    if (!asks) await context.grantPermissions(['microphone']);
    const { said } = Object.assign(this.people[name], { page });
    page.on('console', (m) => m.type() === 'error' && said.push(m.text()));
    page.on('pageerror', (e) => said.push(String(e)));
    await page.addInitScript(keepEars);
    await page.goto(url);
    await comeIn(page, asks, () => this.shot(name, 'check'));
    return page;
  }

  async shot(name, what) {
    if (!this.shots) return;
    mkdirSync(this.shots, { recursive: true });
    const page = this.page(name);
    for (const [width, scheme] of [[1280, 'light'], [360, 'dark']]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: scheme });
      await sleep(150);
      await page.screenshot({ path: join(this.shots, `${what}-${name.toLowerCase()}-${width}-${scheme}.png`), fullPage: true });
    }
  }

  /** Runs an evening and prints what it returns as JSON; when it fails, what everybody saw, and 1 is returned. */
  async run(evening, done) {
    try {
      console.log(JSON.stringify(await evening()));
      return 0;
    } catch (error) {
      for (const p of this.all()) {
        const text = await p.page?.evaluate(() => document.body.innerText).catch((e) => String(e));
        console.error(`--- ${p.name}\n${text}\n${p.said.join('\n')}`);
      }
      console.error(`after ${JSON.stringify(done)}: ${error.stack}`);
      return 1;
    } finally {
      await Promise.all(this.all().map((p) => p.browser.close().catch(() => {})));
    }
  }
}
