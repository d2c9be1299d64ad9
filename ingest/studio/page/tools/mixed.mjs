// A short evening with two engines: the host in Firefox and Anna in Chromium, at a server
// that really runs and is killed in the middle.
//
//   node tools/mixed.mjs '{"host":"http://localhost:8080/studio/talk#…","shots":"folder"}'
//
// Prints "kill" when whoever started it shall kill the server and start it again, and
// waits for a line. Then, as JSON, when what was done, what the pages said, and how loud
// everybody heard whom: {"done":{"live":ms,"live-end":ms,…},"ears":{"live":{"Anna":{"Host":dB,…},…},…}}.
// Exit 1 with the reason when a page does not do what it should.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { comeIn, invite, People, seatOf } from './hands.mjs';

const settings = JSON.parse(process.argv[2]);
const { shots = '', voices = { Host: 210, Anna: 330 } } = settings;
const lasts = 1000 * (settings.seconds ?? 4.2); // of each scene
const [done, ears] = [{}, {}];
const people = new People({ voices, shots, engines: { Host: 'firefox' } });
const mark = (name) => (done[name] = Date.now());
const air = (page) => page.waitForSelector('body[data-air]');

/** How loud a page hears each pitch, in dB: the most in a second, so that syllables do not matter. */
const listen = (page) =>
  page.evaluate(async (voices) => {
    const tracks = window.ears.filter((pc) => pc.connectionState === 'connected').flatMap((pc) => pc.getReceivers().map((r) => r.track));
    const track = tracks.filter((t) => t.readyState === 'live' && !t.muted).at(-1);
    if (!track) return {};
    const context = new AudioContext();
    const ear = new AnalyserNode(context, { fftSize: 16_384 });
    context.createMediaStreamSource(new MediaStream([track])).connect(ear);
    const x = new Float32Array(ear.fftSize);
    const most = {};
    for (let i = 0; i < 12; i++) {
      await new Promise((r) => setTimeout(r, i === 0 ? 400 : 100));
      ear.getFloatTimeDomainData(x);
      for (const [name, hz] of Object.entries(voices)) {
        let [re, im, sum] = [0, 0, 0];
        x.forEach((v, n) => {
          const a = (2 * Math.PI * n) / x.length;
          const w = 0.35875 - 0.48829 * Math.cos(a) + 0.14128 * Math.cos(2 * a) - 0.01168 * Math.cos(3 * a);
          const b = (2 * Math.PI * hz * n) / context.sampleRate;
          [re, im, sum] = [re + v * w * Math.cos(b), im + v * w * Math.sin(b), sum + w];
        });
        most[name] = Math.max(most[name] ?? -120, Math.round(20 * Math.log10((2 * Math.hypot(re, im)) / sum + 1e-6)));
      }
    }
    await context.close();
    return most;
  }, voices);

/** Whether a voice other than their own is well heard by everybody. */
const heardByAll = (ears) =>
  Object.entries(ears).every(([who, levels]) => Object.entries(levels).some(([voice, level]) => voice !== who && level > -35));

/** Notes what everybody hears in a scene. A voice that has just begun is levelled first: that takes some seconds. */
async function hear(scene) {
  for (let i = 0; i < 5; i++) {
    const heard = await Promise.all(people.all().map(async (p) => [p.name, await listen(p.page)]));
    ears[scene] = Object.fromEntries(heard);
    if (heardByAll(ears[scene])) return;
  }
}

/** A scene: something has been done, it lasts, and everybody's ear is asked. */
async function scene(name, asked = false) {
  mark(name);
  await Promise.all([asked && hear(name), sleep(lasts)]);
  mark(`${name}-end`);
}

/** The server dies and comes again; the pages come back to it by themselves. */
async function killed() {
  const before = await Promise.all(people.all().map((p) => p.page.evaluate(() => window.ears.length)));
  console.log('kill');
  await once(process.stdin, 'data');
  mark('restarted');
  const both = (n) => window.ears.slice(n).filter((pc) => pc.connectionState === 'connected').length >= 2;
  await Promise.all(people.all().map((p, i) => p.page.waitForFunction(both, before[i]).then(() => air(p.page))));
  // Chromium says of each try that there was nobody, and of each farewell that nobody knew.
  for (const { said } of people.all()) said.splice(0, said.length, ...said.filter((text) => !/net::ERR_|404/.test(text)));
}

async function firstHalf(host, anna) {
  await host.click('.golive[data-deed="live"]');
  await air(host);
  const seat = seatOf(host, 'Anna');
  await seat.getByText('Cue', { exact: true }).click();
  await host.waitForSelector('[data-seat] button[aria-pressed="true"]');
  await scene('cue', true);
  await seat.getByText('Take on air').click();
  await air(anna);
  await scene('live', true);

  const mute = host.locator('.own .mute');
  await mute.click();
  await host.waitForSelector('.own[data-muted]');
  await scene('mute');
  await mute.click();
  await host.click('.holdbutton');
  await anna.waitForSelector('[data-place="held"]');
  await scene('hold');
  await host.click('.holdbutton');
  await Promise.all([host, anna].map(air));
}

async function secondHalf(host) {
  const talk = seatOf(host, 'Anna').locator('.talk');
  await talk.click();
  await host.waitForSelector('body[data-talk]');
  await scene('talk', true);
  await talk.click();
  await air(host);

  await host.reload();
  await comeIn(host, true);
  await air(host);
  await killed();
  await hear('again'); // before the scene: voices that began anew are levelled first
  await scene('again');

  await host.getByText('Leave', { exact: true }).click();
  await host.click('dialog[open] .danger');
  await host.waitForSelector('.parted:not(:empty)');
  await scene('left');
  await host.click('.golive[data-deed="end"]');
  await host.click('dialog[open] .danger');
  await host.waitForSelector('.golive[data-deed="live"]');
  await scene('over');
}

async function evening() {
  const host = await people.enter('Host', settings.host);
  const anna = await people.enter('Anna', await invite(host, 'Anna'));
  await anna.waitForSelector('[data-place="green"]');
  await firstHalf(host, anna);
  await secondHalf(host);
  return { done, ears, said: Object.fromEntries(people.all().map((p) => [p.name, p.said])) };
}

process.exit(await people.run(evening, done));
