// The page in a browser, at a real station: what it asks for, what it keeps,
// who can use it, and that sound comes back.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { lead, states } from '../tools/states.mjs';
import { browser, station } from '../tools/station.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let chromium;
let talk;

before(async () => {
  talk = await station();
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await talk?.stop();
});

// Most of a test is waiting, so a few run beside each other.
describe('the page', { concurrency: 3 }, () => {
  /** Gives a context to a test and closes it. */
  function scene(name, options, run) {
    test(name, { timeout: 60_000 }, async () => {
      const context = await chromium.newContext({ locale: 'en-GB', ...options });
      try {
        await run(context);
      } finally {
        await context.close();
      }
    });
  }

  const phase = (page, name) => page.waitForSelector(`#player[data-phase="${name}"]`, { timeout: 30_000 });

  // Runs before the page's scripts: notes every use of what could remember a listener.
  function watchStorage() {
    const used = [];
    window.storageUsed = used;
    const watch = (object, name, what) => {
      const found = object && Object.getOwnPropertyDescriptor(object, name);
      if (!found?.configurable) return;
      const wrap = (f) => f && function (...args) {
        used.push(what);
        return f.apply(this, args);
      };
      const wrapped = found.get || found.set ? { get: wrap(found.get), set: wrap(found.set) } : { value: wrap(found.value) };
      Object.defineProperty(object, name, { configurable: true, ...wrapped });
    };
    watch(Document.prototype, 'cookie', 'cookie');
    for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches', 'cookieStore']) watch(window, name, name);
    for (const name of ['serviceWorker', 'storage']) watch(Navigator.prototype, name, name);
    addEventListener('securitypolicyviolation', (e) => used.push(`policy: ${e.violatedDirective} ${e.blockedURI}`));
  }

  /** Notes what a context asks for and what the answers set. */
  function watchLine(context) {
    const line = { hosts: new Set(), paths: [], cookies: [] };
    context.on('request', (request) => {
      const url = new URL(request.url());
      if (!['blob:', 'data:'].includes(url.protocol)) line.hosts.add(url.host);
      line.paths.push(url.pathname);
      if (request.headers()['cookie']) line.cookies.push(`sent to ${url.pathname}`);
      if (request.headers()['referer']) line.paths.push(`referrer ${request.headers()['referer']}`);
    });
    context.on('response', async (response) => {
      const headers = await response.allHeaders().catch(() => ({}));
      if (headers['set-cookie']) line.cookies.push(`set by ${response.url()}`);
    });
    return line;
  }

  scene('no third party, no cookie, no storage, no breach of the policy', {}, async (context) => {
    const line = watchLine(context);
    const page = await context.newPage();
    const errors = [];
    page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
    page.on('pageerror', (e) => errors.push(String(e)));
    await page.addInitScript(watchStorage);
    await page.goto(talk.url);
    await page.click('#toggle');
    await phase(page, 'playing');
    await page.waitForTimeout(2000);
    await page.click('#toggle');
    await phase(page, 'idle');
    assert.deepEqual([...line.hosts], [new URL(talk.url).host]);
    assert.deepEqual(line.cookies, []);
    assert.deepEqual(line.paths.filter((p) => p.startsWith('referrer')), []);
    assert.deepEqual(await page.evaluate(() => window.storageUsed), []);
    assert.deepEqual(await context.storageState(), { cookies: [], origins: [] });
    assert.deepEqual(errors, []);
    const prefix = new URL(talk.url).pathname;
    assert.deepEqual(line.paths.filter((p) => !p.startsWith(prefix)), [], 'all below the station');
  });

  scene('the watch sees what it is there to see', {}, async (context) => {
    const line = watchLine(context);
    const page = await context.newPage();
    await page.addInitScript(watchStorage);
    await page.goto(talk.url);
    await page.evaluate(async () => {
      localStorage.setItem('a', 'b');
      document.cookie = 'a=b';
      await caches.keys().catch(() => {});
      indexedDB.open('a');
      const img = new Image();
      img.src = 'http://third.localhost:1/pixel';
      await fetch('http://third.localhost:1/').catch(() => {});
    });
    const used = await page.evaluate(() => window.storageUsed);
    for (const what of ['localStorage', 'cookie', 'caches', 'indexedDB']) assert.ok(used.includes(what), `${what} in ${used}`);
    assert.ok(used.some((u) => u.startsWith('policy: img-src')), `the policy stops a foreign picture: ${used}`);
    assert.ok(line.hosts.has('third.localhost:1'), [...line.hosts].join());
  });

  scene('paused, the page asks for nothing', {}, async (context) => {
    const page = await lead(context, talk.url, 'playing');
    await page.click('#toggle');
    await phase(page, 'idle');
    await page.waitForTimeout(500);
    let asked = 0;
    page.on('request', () => asked++);
    await page.waitForTimeout(2000);
    assert.equal(asked, 0);
  });

  Object.keys(states).forEach((state, i) => {
    const locale = i % 2 === 0 ? 'en-GB' : 'de-DE';
    scene(`axe finds nothing: ${state}, light and dark, ${locale}`, { locale }, async (context) => {
      const page = await lead(context, talk.url, state);
      await page.evaluate(axe);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        const { violations, passes } = await page.evaluate(() => window.axe.run());
        const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`);
        assert.deepEqual(found, [], colorScheme);
        assert.ok(passes.length > 10, `axe looked at ${passes.length} rules`);
      }
      assert.equal(await page.getAttribute('html', 'lang'), locale.slice(0, 2));
    });
  });

  scene('the keyboard: Space anywhere, K in the player, not on the slider', {}, async (context) => {
    const page = await context.newPage();
    await page.goto(talk.url);
    await page.waitForSelector('#toggle:enabled');
    await page.keyboard.press('k');
    assert.equal(await page.getAttribute('#player', 'data-phase'), 'idle', 'K outside of the player is the browser’s');
    await page.keyboard.press('Space');
    await phase(page, 'playing');
    await page.focus('#toggle');
    await page.keyboard.press('k');
    await phase(page, 'idle');
    await page.keyboard.press('Space');
    await phase(page, 'playing');
    await page.focus('#volume');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.evaluate(() => document.querySelector('#audio').volume), 0.95);
    assert.equal(await page.getAttribute('#volume', 'aria-valuetext'), '95 percent');
  });

  scene('names and roles', {}, async (context) => {
    const page = await lead(context, talk.url, 'live');
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
    await page.getByRole('slider', { name: 'Volume' }).waitFor();
    await page.getByRole('region', { name: 'Player' }).waitFor();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForFunction(() => {
      const text = (id) => document.getElementById(id).textContent;
      return text('state') === 'Live' && /^\d+\.\d s behind$/.test(text('behind')) && text('now') === 'Guest 1 speaks';
    });
    assert.equal(await page.getByRole('status').count(), 1);
  });

  for (const size of ['100%', '200%']) {
    scene(`320 px wide, text at ${size}: nothing is cut, targets are 44 px`, { viewport: { width: 320, height: 640 } }, async (context) => {
      const page = await context.newPage();
      await page.goto(talk.url);
      await page.waitForSelector('#toggle:enabled');
      await page.evaluate((s) => document.documentElement.style.setProperty('font-size', s), size);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
      for (const target of await page.$$('button, input, a')) {
        const { width, height } = await target.boundingBox();
        assert.ok(width >= 44 && height >= 44, `${width} x ${height}: ${await target.evaluate((e) => e.outerHTML)}`);
      }
    });
  }

  scene('without scripts the browser’s own player is there', { javaScriptEnabled: false }, async (context) => {
    const page = await context.newPage();
    await page.goto(talk.url);
    assert.equal(await page.getAttribute('noscript audio', 'src'), 'index.m3u8');
    assert.ok(await page.isVisible('noscript audio'));
    assert.ok(await page.isHidden('#toggle'));
    assert.equal(await page.getAttribute('footer a', 'href'), 'index.m3u8');
  });

  scene('a first play that the browser blocks is just the button', {}, async (context) => {
    const page = await context.newPage();
    await page.addInitScript(() => {
      HTMLMediaElement.prototype.play = () => Promise.reject(new DOMException('', 'NotAllowedError'));
    });
    await page.goto(talk.url);
    await page.waitForSelector('#toggle:enabled');
    await page.click('#toggle');
    await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
    assert.equal(await page.getAttribute('#player', 'data-phase'), 'idle');
  });

  const engine = /\/engine-[^/]*\.js(\?|$)/;
  const sentence = (page, words) => page.getByRole('status').filter({ hasText: words }).waitFor();

  /** Opens the page with its engine held back until the returned function is called. */
  async function openEarly(context) {
    const page = await context.newPage();
    await page.addInitScript(onlyPressesUnlock);
    let release;
    const released = new Promise((resolve) => {
      release = resolve;
    });
    await page.route(engine, async (route) => {
      await released;
      await route.continue();
    });
    await page.goto(talk.url, { waitUntil: 'commit' });
    return { page, release };
  }

  // Runs before the page's scripts: the strictest rule there is for sound. An element plays only
  // after it was told to within a press. (Each question of the test renews Chromium's own permission.)
  function onlyPressesUnlock() {
    const unlocked = new WeakSet();
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = function () {
      if (window.event?.isTrusted && ['click', 'keydown'].includes(window.event.type)) unlocked.add(this);
      return unlocked.has(this) ? play.call(this) : Promise.reject(new DOMException('', 'NotAllowedError'));
    };
  }

  for (const [name, press] of Object.entries({ click: (page) => page.click('#toggle'), Space: (page) => page.keyboard.press('Space') })) {
    scene(`a ${name} while the engine loads is kept: it comes to live by itself`, {}, async (context) => {
      const { page, release } = await openEarly(context);
      await page.waitForSelector('#toggle:enabled', { timeout: 5000 });
      await press(page);
      await sentence(page, 'One moment, the sound is coming.');
      await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
      await page.waitForTimeout(4000);
      release();
      await phase(page, 'playing');
      await page.locator('#behind').filter({ hasText: /^[0-3]\.\d s behind$/ }).waitFor();
    });
  }

  scene('a second press while the engine loads takes the first back', {}, async (context) => {
    const { page, release } = await openEarly(context);
    await page.click('#toggle');
    await sentence(page, 'One moment, the sound is coming.');
    await page.click('#toggle');
    await sentence(page, 'Press play to listen.');
    release();
    await page.waitForResponse(/opus\.m3u8/); // the engine is here: the page looks whether something is on air
    await page.waitForTimeout(1000);
    assert.equal(await page.getAttribute('#player', 'data-phase'), 'idle');
    assert.ok(await page.evaluate(() => document.querySelector('#audio').paused));
    await page.click('#toggle');
    await phase(page, 'playing');
  });

  const engineFaults = {
    offline: (route) => route.abort('internetdisconnected'),
    'not found': (route) => route.fulfill({ status: 404, body: '' }),
  };
  for (const [name, fault] of Object.entries(engineFaults)) {
    scene(`the engine does not load (${name}): the page says so, tries again, and plays`, {}, async (context) => {
      const page = await context.newPage();
      const asked = [];
      await page.route(engine, (route) => {
        asked.push(route.request().url());
        return fault(route);
      });
      await page.goto(talk.url);
      await sentence(page, 'The player has not loaded fully. We keep trying; you can press play already.');
      await page.click('#toggle');
      await sentence(page, 'The player has not loaded fully. We keep trying; then the sound begins by itself.');
      await page.waitForTimeout(4000);
      assert.ok(asked.length > 2 && asked.length < 15, `asked ${asked.length} times in some 4 s`);
      assert.ok(asked.slice(2).every((url, i) => !asked.slice(0, i + 2).includes(url)), `each try has its own address: ${asked}`);
      await page.unroute(engine);
      await phase(page, 'playing');
    });
  }

  const media = /\.(m3u8|m4s|mp4)(\?|$)/;
  const faults = {
    refused: (route) => route.abort('connectionrefused'),
    'not found': (route) => route.fulfill({ status: 404, body: '' }),
    unavailable: (route) => route.fulfill({ status: 503, body: '' }),
    'other content': (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '<!doctype html>' }),
    hung: () => {},
  };
  for (const [name, fault] of Object.entries(faults)) {
    scene(`${name} for 3 s: sound comes back by itself, near live`, {}, async (context) => {
      const page = await lead(context, talk.url, 'playing');
      await page.route(media, fault);
      await phase(page, 'reconnecting');
      await page.waitForTimeout(3000);
      await page.unroute(media);
      await phase(page, 'playing');
      await page.waitForFunction(() => {
        const behind = Number.parseFloat(document.querySelector('#behind').textContent);
        return behind > 0 && behind < 4;
      }, null, { timeout: 15_000 });
    });
  }

  scene('the clock is wrong by hours, and is set while sound plays: nobody hears it', {}, async (context) => {
    const page = await context.newPage();
    await page.addInitScript(() => {
      const { now } = Date;
      window.wrong = -5 * 3_600_000;
      Date.now = () => now() + window.wrong;
    });
    await page.goto(talk.url);
    await page.click('#toggle');
    await phase(page, 'playing');
    await page.waitForTimeout(2000);
    const seeks = await page.evaluate(async () => {
      const audio = document.querySelector('#audio');
      let seen = 0;
      audio.addEventListener('seeking', () => seen++);
      for (const hours of [9, -9]) {
        window.wrong += hours * 3_600_000;
        await new Promise((resolve) => setTimeout(resolve, 1500));
      }
      return seen;
    });
    assert.equal(seeks, 0);
    assert.equal(await page.getAttribute('#player', 'data-phase'), 'playing');
    assert.match(await page.textContent('#behind'), /^[0-3]\.\d s behind$/);
  });

  scene('the listener’s line is gone for 3 s: sound comes back by itself', {}, async (context) => {
    const page = await lead(context, talk.url, 'playing');
    await context.setOffline(true);
    await phase(page, 'offline');
    await page.waitForTimeout(3000);
    await context.setOffline(false);
    await phase(page, 'playing');
  });
});
