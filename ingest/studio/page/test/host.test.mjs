// A host's journeys through the page in a browser: the show, talking to one, faders, links,
// the schedule.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { broadcast, seat } from '../tools/fake.mjs';
import { lead } from '../tools/states.mjs';
import { asked, open, place, scene, until, withBrowser } from '../tools/scenes.mjs';

withBrowser();

describe('the studio of a host', { concurrency: 3 }, () => {
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
});
