// The page in a browser, at a scripted server, with real WebRTC to a peer inside the
// page: the journeys of speakers, what is lost and comes back, who can use it, and what it
// asks for. Those of hosts are in host.test.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe } from 'node:test';
import { newPage } from '../tools/browser.mjs';
import { broadcast, seat } from '../tools/fake.mjs';
import { join, lead, states } from '../tools/states.mjs';
import { asked, both, connected, open, pair, place, scene, until, withBrowser } from '../tools/scenes.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

withBrowser();

describe('the studio', { concurrency: 3 }, () => {
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
