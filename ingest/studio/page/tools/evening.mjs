// An evening in the real studio: a host and two guests in browsers of their own, each
// with a voice of its own at its microphone, at a server that really runs.
//
//   node tools/evening.mjs '{"host":"http://localhost:8080/studio/talk#…","shots":"folder"}'
//
// The host makes the guests' links, takes them on air, goes live, mutes, plays the hold
// and ends; a guest's browser is killed and comes back. Prints when what was done, as
// JSON: {"done":{"live":ms,…},"returns":{"Anna":packets,…},"gap":ms}. Exit 1 with the
// reason when a page does not do what it should.
import { setTimeout as sleep } from 'node:timers/promises';
import { hears, invite, People, seatOf } from './hands.mjs';

const settings = JSON.parse(process.argv[2]);
const { shots = '', voices = { Host: 220, Anna: 330, Bert: 440 } } = settings;
const lasts = 1000 * (settings.seconds ?? 5); // of each scene
const done = {};
const people = new People({ voices, shots });
const mark = (name) => (done[name] = Date.now());
const enter = (name, url) => people.enter(name, url);
const shot = (name, what) => people.shot(name, what);

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
  for (const p of people.all()) await p.page.waitForSelector('body[data-air]');
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
  for (const p of people.all()) returns[p.name] = await hears(p.page);
  await host.click('.golive[data-deed="end"]');
  await shot('Host', 'end');
  await host.click('dialog[open] .danger');
  await host.waitForSelector('.golive[data-deed="live"]');
  mark('end');
  await sleep(lasts);
  await shot('Host', 'ended');
  mark('over');
  return { done, returns, said: Object.fromEntries(people.all().map((p) => [p.name, p.said])) };
}

/** Ends a browser without letting it say goodbye. */
async function kill(name) {
  const { page, browser } = people.people[name];
  const session = await browser.newBrowserCDPSession();
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

process.exit(await people.run(evening, done));
