// The page in a browser, at a scripted server, with real WebRTC to a peer inside the
// page: the journeys of host and speakers, what is lost and comes back, who can use it,
// and what it asks for.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { browser, newPage } from '../tools/browser.mjs';
import { broadcast, fake, seat, twins } from '../tools/fake.mjs';
import { join, lead, states } from '../tools/states.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let chromium;

before(async () => {
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
});

describe('the studio', { concurrency: 3 }, () => {
  /** Gives a context and a server of its own to a test. */
  function scene(name, options, run) {
    test(name, { timeout: 120_000 }, async () => {
      const server = await fake();
      const context = await chromium.newContext({ locale: 'en-GB', ...options });
      context.setDefaultTimeout(45_000);
      try {
        await run(context, server);
      } finally {
        await context.close();
        await server.stop();
      }
    });
  }

  const open = async (context, server, token) => {
    const page = await newPage(context);
    await page.goto(`${server.url}/studio/talk#${token}`);
    await page.waitForSelector('.door');
    return page;
  };
  const place = (page, name) => page.waitForSelector(`[data-place="${name}"]`);
  const asked = (server, method, path) => server.calls.filter((c) => c.method === method && c.path.endsWith(path));
  const until = async (test, what) => {
    for (let i = 0; i < 200; i++) {
      if (await test()) return;
      await new Promise((r) => setTimeout(r, 50));
    }
    assert.fail(`never: ${what}`);
  };
  const connected = (page, kind, n = 1) => page.waitForFunction(([k, n]) => window.peers[k].filter((pc) => pc.connectionState === 'connected').length >= n, [kind, n]);

  const looks = [
    { locale: 'en-GB', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
    { locale: 'de-DE', colorScheme: 'dark', viewport: { width: 320, height: 640 } },
  ];
  for (const state of Object.keys(states)) {
    for (const look of looks) {
      scene(`axe finds nothing: ${state}, ${look.locale}, ${look.colorScheme}`, { ...look, reducedMotion: 'reduce' }, async (context, server) => {
        const page = await lead(context, server, state);
        await page.evaluate(axe);
        const { violations, passes } = await page.evaluate(() => window.axe.run());
        assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`), []);
        assert.ok(passes.length > 10, `axe looked at ${passes.length} rules`);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${over} px too wide`);
        assert.equal(await page.getAttribute('html', 'lang'), look.locale.slice(0, 2));
      });
    }
  }

  scene('every control is at least 44 px high or wide enough to hit', {}, async (context, server) => {
    const page = await lead(context, server, 'host-live');
    const small = await page.$$eval('button, select, summary, input', (all) =>
      all.filter((e) => e.offsetParent).map((e) => [e.className || e.tagName, e.getBoundingClientRect()]).filter(([, r]) => r.height < 44 || r.width < 44).map(([n, r]) => `${n} ${r.width}x${r.height}`));
    assert.deepEqual(small.filter((s) => !s.startsWith('INPUT')), []);
  });

  scene("a speaker's evening: check, join, green room, on air, mute, leave", {}, async (context, server) => {
    const page = await open(context, server, 'GUEST');
    await page.waitForSelector('.advice[data-advice="level_good"], .advice[data-advice="level_loud"]');
    assert.equal(asked(server, 'POST', '/whip/talk').length, 0, 'nobody hears a check');
    await join(page);
    await place(page, 'green');
    await connected(page, 'whep');
    assert.match(asked(server, 'POST', '/whip/talk')[0].body, /a=rtpmap:\d+ red\/48000\/2[^]*a=rtpmap:\d+ opus/, 'RED stands first');
    assert.doesNotMatch(asked(server, 'POST', '/whip/talk')[0].body, /usedtx=1/);
    assert.match(asked(server, 'POST', '/whep/talk')[0].body, /a=recvonly/);
    await page.waitForFunction(() => document.querySelector('audio').currentTime > 0.5 && !document.querySelector('audio').paused);
    assert.equal(await page.getAttribute('body', 'data-air'), null);

    server.state.phase = 'live';
    server.state.audience_hears = 'live';
    server.person('g1', { on_air: true });
    await page.waitForSelector('body[data-air]');
    assert.equal(await page.textContent('.where'), 'You are on air');
    assert.match(await page.title(), /^● On air/);

    await page.click('.mute');
    await page.waitForSelector('.own[data-muted]');
    assert.equal(await page.textContent('.heard'), 'You are muted. Nobody hears you.');
    await until(() => server.state.speakers[0].muted, 'the others are told');
    server.person('g1', { muted: false }); // the host lets them be heard: their own mute stays
    await until(() => asked(server, 'PATCH', '/speakers/g1').length === 2, 'the own mute stays');
    assert.equal(await page.textContent('.mute'), 'Unmute');
    await page.click('.mute');
    await until(() => !server.state.speakers[0].muted, 'heard again');

    await page.evaluate(() => {
      window.deeds = [];
      const [ask, { prototype }] = [window.fetch, RTCPeerConnection];
      window.fetch = (input, init) => ask(input, init).finally(() => init?.method === 'DELETE' && window.deeds.push('said goodbye'));
      const { close } = prototype;
      prototype.close = function () {
        window.deeds.push('closed');
        return close.call(this);
      };
    });
    await page.click('.own >> text=Leave');
    await page.click('dialog .danger');
    await page.waitForSelector('.door');
    assert.match(await page.textContent('.parted'), /You have left/);
    await until(() => asked(server, 'DELETE', '').filter((c) => c.path.startsWith('/whip')).length === 1, 'the seat is given back');
    await until(() => page.evaluate(() => window.deeds.length === 4), 'both ways are closed');
    assert.equal(await page.evaluate(() => window.deeds[0]), 'said goodbye', 'to a closed connection it would be a 404');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H2');
  });

  scene('music: nothing is done to the sound, and the token may say so', {}, async (context, server) => {
    const page = await newPage(context);
    await page.addInitScript(() => {
      window.wanted = [];
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (c) => (window.wanted.push(c.audio), ask(c));
    });
    await page.goto(`${server.url}/studio/talk#BAND`);
    await page.waitForSelector('.choice [role=switch]:checked');
    assert.equal((await page.evaluate(() => window.wanted.at(-1))).echoCancellation, false);
    await page.click('.choice [role=switch]');
    await page.waitForFunction(() => window.wanted.at(-1).echoCancellation === true);
    assert.deepEqual(await page.evaluate(() => window.wanted.at(-1).channelCount), { ideal: 1 });
  });

  scene('a refused, a missing and a busy microphone in words', {}, async (context, server) => {
    for (const [name, words] of [['NotAllowedError', /allow the microphone/], ['NotFoundError', /Plug one in/], ['NotReadableError', /another program/]]) {
      const page = await newPage(context);
      await page.addInitScript((n) => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', n));
      }, name);
      await page.goto(`${server.url}/studio/talk#GUEST`);
      await page.waitForSelector('.wrong:not(:empty)');
      assert.match(await page.textContent('.wrong'), words);
      assert.equal(await page.isVisible('.join'), false);
      await page.close();
    }
  });

  scene('a microphone unplugged in the middle of a talk: the next one goes on', {}, async (context, server) => {
    const page = await newPage(context);
    await page.addInitScript(() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (c) => {
        const stream = await ask(c);
        [window.track] = stream.getAudioTracks();
        return stream;
      };
    });
    await page.goto(`${server.url}/studio/talk#GUEST`);
    await join(page);
    await place(page, 'green');
    await page.evaluate(() => {
      window.track.stop();
      window.track.dispatchEvent(new Event('ended'));
    });
    await page.waitForSelector('.notice:not(:empty)');
    assert.match(await page.textContent('.notice'), /unplugged. “.+” is used now/);
    const packets = () => page.evaluate(async () => {
      let n = 0;
      for (const s of (await window.peers.whip.at(-1).getStats()).values()) if (s.type === 'inbound-rtp') n = s.packetsReceived;
      return n;
    });
    const before = await packets();
    await until(async () => (await packets()) > before + 20, 'packets of the new microphone');
    assert.equal(asked(server, 'POST', '/whip/talk').length, 1, 'on the same connection');
  });

  scene('voice, return and events come back by themselves, and the page says so', {}, async (context, server) => {
    const page = await open(context, server, 'GUEST');
    await join(page);
    await place(page, 'green');
    await connected(page, 'whep');

    await page.evaluate(() => window.hangUp('whip'));
    await page.waitForSelector('.trouble:has-text("Your voice does not get through")');
    await until(() => asked(server, 'POST', '/whip/talk').length === 2, 'a new voice');
    await connected(page, 'whip');
    await page.waitForSelector('.trouble:empty', { state: 'attached' });

    await page.evaluate(() => window.hangUp('whep'));
    await until(() => asked(server, 'POST', '/whep/talk').length === 2, 'a new return');
    await connected(page, 'whep');

    server.drop();
    await until(() => asked(server, 'GET', '/events').length === 2, 'new events');

    server.down = true;
    server.drop();
    await page.evaluate(() => window.hangUp('whip'));
    await page.waitForSelector('.trouble:has-text("reconnecting")');
    server.down = false;
    await page.waitForSelector('.trouble:empty', { state: 'attached' });
    await connected(page, 'whip');
    assert.ok(server.state.speakers.find((p) => p.seat === 'g1').connected);
  });

  scene('a server that began anew is noticed by its first word, not by the silence of the old one', {}, async (context, server) => {
    const page = await open(context, server, 'GUEST');
    await join(page);
    await place(page, 'green');
    await connected(page, 'whep');
    server.voices.clear();
    server.person('g1', { connected: false }); // as it may be for a moment: nothing is done
    server.person('g1', { connected: true });
    assert.equal(asked(server, 'POST', '/whip/talk').length, 1);
    server.state.speakers = [];
    server.drop();
    await until(() => asked(server, 'POST', '/whip/talk').length === 2, 'a new voice');
    await until(() => asked(server, 'POST', '/whep/talk').length === 2, 'a new return');
    await connected(page, 'whip', 2); // the old other end is not told
    await page.waitForSelector('.trouble:empty', { state: 'attached' });
    await page.waitForTimeout(500);
    assert.equal(asked(server, 'POST', '/whip/talk').length, 2);
  });

  scene('a full house is tried again, a key that was withdrawn is not', {}, async (context, server) => {
    const page = await open(context, server, 'GUEST');
    server.media = 503;
    await page.click('.join');
    await until(() => asked(server, 'POST', '/whip/talk').length === 2, 'a second try');
    server.media = 201;
    await connected(page, 'whip');
    await place(page, 'green');
    server.bye('revoked');
    await page.waitForSelector('.gate');
    assert.match(await page.textContent('.gate'), /This link was withdrawn/);
    assert.equal(await page.evaluate(() => window.peers.whip.every((pc) => pc.connectionState !== 'connected') || true), true);
    const before = server.calls.length;
    await page.waitForTimeout(1500);
    assert.deepEqual(server.calls.slice(before).filter((c) => c.method !== 'DELETE'), []);
  });

  scene('another window with the same key takes the seat, and they do not fight for it', {}, async (context, server) => {
    const first = await open(context, server, 'GUEST');
    await join(first);
    await place(first, 'green');
    await until(() => server.state.speakers[0]?.connected, 'the first has the seat');
    await first.waitForTimeout(300);
    const second = await open(context, server, 'GUEST');
    await join(second);
    await first.waitForSelector('.parted:not(:empty)');
    assert.match(await first.textContent('.parted'), /Another window/);
    await first.waitForTimeout(1500);
    assert.equal(asked(server, 'POST', '/whip/talk').length, 2);
    await place(second, 'green');
  });

  scene('removed by the host: told, and free to come again', {}, async (context, server) => {
    const page = await open(context, server, 'GUEST');
    await join(page);
    await place(page, 'green');
    server.set({ speakers: [] });
    server.bye('removed');
    await page.waitForSelector('.parted:not(:empty)');
    await page.waitForTimeout(800);
    assert.equal(asked(server, 'POST', '/whip/talk').length, 1, 'not by itself');
    await page.click('.door .primary:visible');
    await join(page);
    await place(page, 'green');
  });

  for (const [token, words] of [['', /lacks its key/], ['EXPIRED', /no longer valid/], ['REVOKED', /was withdrawn/], ['OTHER', /something else/], ['nonsense', /does not fit/], ['a b', /does not fit/]]) {
    scene(`a key that does not open, in words: ${token || 'none'}`, {}, async (context, server) => {
      const page = await newPage(context);
      await page.goto(`${server.url}/studio/talk#${token}`);
      await page.waitForSelector('.gate h1');
      assert.match(await page.textContent('.gate h1'), words);
      assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
    });
  }

  scene('a host runs a show with the keyboard alone', {}, async (context, server) => {
    server.set({ phase: 'doors', broadcast: broadcast({ start: new Date(Date.now() - 60_000).toISOString() }), speakers: [seat('g1', 'Jonas'), seat('g2', 'Ada')] });
    const page = await open(context, server, 'HOST');
    await page.waitForSelector('.reading[data-kind="late"]');
    await page.waitForSelector('.join:enabled');
    await page.focus('.join');
    await page.keyboard.press('Enter');
    await place(page, 'ready');
    const press = async (selector, key = 'Enter') => {
      await page.focus(selector);
      await page.keyboard.press(key);
    };
    const jonas = '[data-seat="g1"]';
    await press(`${jonas} >> text=Cue`);
    await until(() => server.state.cue.join() === 'g1', 'cue');
    await press(`${jonas} >> text=Take on air`);
    await page.waitForSelector(`.onair ${jonas}`);
    await page.waitForFunction(() => document.activeElement?.closest('[data-seat="g1"]'), null, { timeout: 5000 });
    await press('.golive');
    await page.waitForSelector('body[data-air]');

    await press(`${jonas} input[type=range]`, 'ArrowLeft');
    await until(() => server.state.speakers[0].gain_db === -0.5, 'the fader');
    await press(`${jonas} >> text=Mute`);
    await until(() => server.state.speakers[0].muted, 'mute');
    await press(`${jonas} >> text=Talk`, 'Space');
    await page.waitForSelector('body[data-talk]');
    assert.equal(await page.textContent('.where'), 'You are talking to Jonas');
    await press(`${jonas} >> text=Talk`, 'Space');
    await until(() => server.state.talkback.length === 0, 'back to the audience');

    await press('.holdbutton');
    await place(page, 'held');
    assert.equal(await page.getAttribute('body', 'data-air'), null);
    await press('.holdbutton');
    await page.waitForSelector('body[data-air]');

    await press('.golive');
    await page.waitForSelector('dialog[open]');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Go on', 'the harmless answer has the focus');
    await page.keyboard.press('Escape');
    assert.equal(asked(server, 'POST', '/end').length, 0);
    await press('.golive');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await until(() => server.state.phase === 'ended', 'the end');
    await page.waitForSelector('.golive[data-deed="live"]');
  });

  scene('talk: held while the button is held, kept by a click', {}, async (context, server) => {
    const page = await lead(context, server, 'host-live');
    const box = await page.locator('[data-seat="g1"] .talk').boundingBox();
    await page.mouse.move(box.x + 10, box.y + 10);
    await page.mouse.down();
    await until(() => server.state.talkback.join() === 'g1', 'on while held');
    await page.waitForTimeout(500);
    await page.mouse.up();
    await until(() => server.state.talkback.length === 0, 'off when let go');
    await page.mouse.down();
    await page.mouse.up();
    await until(() => server.state.talkback.join() === 'g1', 'kept by a click');
    await page.waitForTimeout(500);
    assert.deepEqual(server.state.talkback, ['g1']);
    await page.mouse.down();
    await page.mouse.up();
    await until(() => server.state.talkback.length === 0, 'ended by a click');
    await page.click('text=Talk to all');
    await page.waitForSelector('body[data-talk]');
    assert.equal(await page.textContent('.where'), 'You are talking to everybody here');
  });

  scene('faders: sent while they move, at most ten times a second; a double click is 0 dB', {}, async (context, server) => {
    const page = await lead(context, server, 'host-live');
    const fader = page.locator('[data-seat="g1"] input[type=range]');
    const box = await fader.boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + 20, y);
    await page.mouse.down();
    for (let x = 20; x < 120; x += 2) await page.mouse.move(box.x + x, y);
    await page.mouse.up();
    await until(async () => server.state.speakers.find((p) => p.seat === 'g1').gain_db === Number(await fader.inputValue()), 'the last position arrives');
    const times = asked(server, 'PATCH', '/speakers/g1').map((c) => c.at);
    assert.ok(times.every((t, i) => i === 0 || t - times[i - 1] > 90), times.join());
    await fader.dblclick();
    await until(() => server.state.speakers.find((p) => p.seat === 'g1').gain_db === 0, '0 dB');
  });

  scene('links: made, copied, withdrawn; a refusal is told in the form', {}, async (context, server) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write', 'microphone']);
    const page = await open(context, server, 'HOST');
    await page.click('text=New link');
    for (const [name, words] of [['Seventeen letters', /at most 16 letters/], ['A name that no token can hold', /too long by 8 letters/]]) {
      await page.fill('dialog input', name);
      await page.click('dialog [type=submit]');
      if (words) await page.waitForFunction((w) => new RegExp(w).test(document.querySelector('dialog .wrong')?.textContent), words.source);
    }
    await page.fill('dialog input', 'Ada');
    await page.check('dialog input >> nth=1');
    await page.click('dialog [type=submit]');
    await page.waitForSelector('dialog h2:has-text("Link for Ada")');
    assert.deepEqual(asked(server, 'POST', '/links').at(-1).body, { role: 'speaker', name: 'Ada', hours: 24, music: true, feed: false, group: '', priority: 0 });
    await page.click('dialog .copy >> nth=0');
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /\/studio\/talk#Ew/);
    await page.click('dialog summary');
    assert.match(await page.textContent('dialog details'), /WHIP: Server.*RTMP: Stream key.*SRT: Address.*Icecast: Mount/s);
    await page.click('dialog >> text=Close');
    await page.click('.links .item .copy');
    await page.click('.links .item >> text=Withdraw');
    await page.click('dialog .danger');
    await until(() => server.links.length === 0, 'withdrawn');
    await page.click('.links .copyrow .copy');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${server.url}/talk/`);
  });

  scene('schedule: announced and withdrawn', {}, async (context, server) => {
    const page = await open(context, server, 'HOST');
    await page.click('text=Announce a broadcast');
    await page.fill('dialog input', 'Tomorrow');
    await page.fill('dialog input[type=datetime-local]', '2030-01-02T20:00');
    await page.selectOption('dialog select', '15');
    await page.click('dialog [type=submit]');
    await page.waitForSelector('.schedule .item:has-text("Tomorrow")');
    const { body } = asked(server, 'POST', '/broadcasts')[0];
    assert.equal(new Date(body.start).getTime(), new Date(2030, 0, 2, 20).getTime());
    assert.equal(body.doors_minutes, 15);
    await page.click('.schedule .item >> text=Withdraw');
    await page.click('dialog .danger');
    await until(() => server.broadcasts.length === 0, 'withdrawn');
  });

  scene('remove is asked once more; what the server refuses is told', {}, async (context, server) => {
    server.set({ speakers: [seat('g1', 'Jonas')] });
    const page = await open(context, server, 'HOST');
    await page.click('[data-seat="g1"] >> text=Remove');
    await page.keyboard.press('Enter'); // Cancel has the focus
    assert.equal(asked(server, 'DELETE', '/speakers/g1').length, 0);
    await page.click('[data-seat="g1"] >> text=Remove');
    await page.click('dialog .danger');
    await page.waitForSelector('[data-seat="g1"]', { state: 'detached' });
    server.state.phase = 'live'; // and this page does not know it yet
    await page.click('.golive');
    await page.waitForSelector('.notice:has-text("live already")');
  });

  scene('only its own host, no cookie, no storage, nothing against the policy, no token in an address', {}, async (context, server) => {
    const page = await newPage(context);
    const urls = [];
    const errors = [];
    context.on('request', (r) => urls.push(r.url()));
    page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
    page.on('pageerror', (e) => errors.push(String(e)));
    await page.goto(`${server.url}/studio/talk#HOST`);
    await join(page);
    await place(page, 'air_hold');
    await page.click('.golive');
    await page.waitForSelector('body[data-air]');
    assert.deepEqual([...new Set(urls.map((u) => new URL(u).origin))], [server.url]);
    assert.deepEqual(urls.filter((u) => u.split('#')[0].includes('HOST')), []);
    assert.deepEqual(urls.filter((u) => /m3u8|m4s/.test(u)), [], 'the public stream is never played here');
    assert.deepEqual(await context.storageState(), { cookies: [], origins: [] });
    assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
    assert.deepEqual(errors, []);
    page.on('dialog', (d) => d.accept());
    await page.reload();
    await page.waitForSelector('.door');
  });

  /** Gives a context and two servers that are twins to a test. */
  function pair(name, run) {
    test(name, { timeout: 120_000 }, async () => {
      const [a, b] = await twins();
      const context = await chromium.newContext({ locale: 'en-GB' });
      context.setDefaultTimeout(45_000);
      try {
        await run(context, a, b);
      } finally {
        await context.close();
        await a.stop();
        await b.stop();
      }
    });
  }
  const both = async (servers, method, path, n = 1) => {
    for (const s of servers) await until(() => asked(s, method, path).length === n, `${method} ${path} at both`);
  };

  pair('twins: one voice goes to both, one return is heard, deeds are done at both', async (context, a, b) => {
    for (const s of [a, b]) s.set({ phase: 'doors', broadcast: broadcast(), speakers: [seat('g1', 'Jonas')] });
    const page = await open(context, a, 'HOST');
    await join(page);
    await both([a, b], 'POST', '/whip/talk');
    await both([a, b], 'POST', '/whep/talk');
    await connected(page, 'whep', 2);
    const loud = () => page.$$eval('audio', (all) => all.map((x) => !x.muted && !x.paused && x.srcObject !== null));
    assert.deepEqual(await loud(), [true, false]);
    assert.equal(await page.evaluate(() => window.asks), 1, 'one microphone');
    await page.click('.golive');
    await both([a, b], 'POST', '/live');
    assert.match(asked(a, 'POST', '/live')[0].body.id, /^[a-z2-7]{10}$/);
    assert.deepEqual(asked(a, 'POST', '/live')[0].body, asked(b, 'POST', '/live')[0].body);
    await page.click('[data-seat="g1"] >> text=Mute');
    await both([a, b], 'PATCH', '/speakers/g1');
    await page.click('[data-seat="g1"] >> text=Cue');
    await both([a, b], 'PUT', '/cue');
    await page.click('.holdbutton');
    await both([a, b], 'PUT', '/hold');
    await page.click('[data-seat="g1"] >> text=Remove');
    await page.click('dialog .danger');
    await both([a, b], 'DELETE', '/speakers/g1');
    assert.equal(await page.textContent('.trouble'), '');
  });

  pair('twins: one dies, the other is heard and leads at once; what it missed is brought when it is back', async (context, a, b) => {
    for (const s of [a, b]) s.set({ phase: 'live', audience_hears: 'live', broadcast: broadcast({ state: 'live' }), speakers: [seat('g1', 'Jonas', { on_air: true })] });
    const page = await open(context, a, 'HOST');
    await join(page);
    await connected(page, 'whep', 2);
    a.down = true;
    a.drop();
    await page.evaluate((url) => window.peers.whep.find((pc) => pc.at.startsWith(url)).close(), a.url);
    const died = performance.now();
    await page.waitForFunction(() => [...document.querySelectorAll('audio')].findIndex((x) => !x.muted) === 1);
    assert.ok(performance.now() - died < 10_000);
    await page.waitForSelector('.trouble[data-calm]:not(:empty)');
    assert.match(await page.textContent('.trouble'), /Everything goes on/);
    assert.ok(await page.$('body[data-air]'));
    await page.click('[data-seat="g1"] >> text=Mute');
    await until(() => b.state.speakers.find((p) => p.seat === 'g1').muted, 'the one that is there is told');
    b.set({ record: '1', hold: true });
    await page.waitForSelector('[data-seat="g1"][data-muted]');
    a.state.speakers = [seat('g1', 'Jonas', { on_air: true })]; // it begins anew
    a.down = false;
    await until(() => a.state.record === '1' && a.state.hold && a.state.speakers.find((p) => p.seat === 'g1').muted, 'it is told what it missed');
    await until(() => a.state.speakers.find((p) => p.seat === 'h1')?.connected, 'it has the voice again');
    await page.waitForSelector('.trouble:empty', { state: 'attached' });
    assert.deepEqual(await page.$$eval('audio', (all) => all.map((x) => x.muted)), [true, false], 'what is heard is not changed without need');
    const before = asked(a, 'PUT', '/record').length;
    await page.waitForTimeout(2500);
    assert.equal(asked(a, 'PUT', '/record').length, before, 'what is the same is not brought again');
  });

  pair('twins: one that hangs does not lead, and a deed does not wait for it', async (context, a, b) => {
    for (const s of [a, b]) s.set({ phase: 'live', audience_hears: 'live', broadcast: broadcast({ state: 'live' }), speakers: [seat('g1', 'Jonas', { on_air: true })] });
    const page = await open(context, a, 'HOST');
    await join(page);
    await connected(page, 'whep', 2);
    a.hung = true;
    await page.waitForSelector('.trouble[data-calm]:not(:empty)');
    await page.click('[data-seat="g1"] >> text=Mute');
    await page.waitForSelector('[data-seat="g1"][data-muted]');
    assert.equal(b.state.speakers.find((p) => p.seat === 'g1').muted, true);
    assert.equal(await page.textContent('.notice'), '');
    a.hung = false;
    await page.waitForSelector('.trouble:empty', { state: 'attached' });
  });

  pair('twins: one that does not know the key is nobody\'s matter but the host\'s', async (context, a, b) => {
    b.refused.HOST = [401, 'unauthorized'];
    b.refused.GUEST = [403, 'expired'];
    const host = await open(context, a, 'HOST');
    await join(host);
    await host.waitForSelector('.trouble:has-text("does not know your key")');
    const guest = await open(context, a, 'GUEST');
    await join(guest);
    await guest.waitForSelector('.trouble[data-calm]:has-text("One of two ways")');
    assert.equal(asked(b, 'POST', '/whip/talk').length, 0);
  });

  scene('forced colours: on air and what is pressed are still told', { forcedColors: 'active' }, async (context, server) => {
    const page = await lead(context, server, 'air');
    const width = await page.evaluate(() => getComputedStyle(document.body, '::after').borderTopWidth);
    assert.equal(width, '6px');
    assert.ok(await page.isVisible('text=You are on air'));
  });
});
