// An evening at two nodes: a host and Anna, each in a browser of their own with a voice at
// its microphone, at the studio of the first node, which is killed in the middle and comes
// again.
//
//   node tools/twins.mjs '{"host":"http://localhost:8080/studio/talk#…","nodes":["http://localhost:8080","http://localhost:8081"]}'
//
// Prints "kill" and "start" when whoever started it shall kill the first node and start it
// again, and waits for a line. Then, as JSON, when what was done, for how long at most
// nobody was heard in each page's loudspeakers, in ms, while the node died and while it came
// back, and what the pages said: {"done":{"live":ms,…},"gaps":{"kill":{"Anna":ms,…},…},"said":{…}}.
// Exit 1 with the reason when a page does not do what it should.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { invite, People, seatOf } from './hands.mjs';

const settings = JSON.parse(process.argv[2]);
const { nodes, shots = '', voices = { Host: 210, Anna: 330 } } = settings;
const lasts = 1000 * (settings.seconds ?? 4);
const [done, gaps] = [{}, {}];
const people = new People({ voices, shots });
const mark = (name) => (done[name] = Date.now());
const key = new URL(settings.host).hash.slice(1);

/** What a node says to the host; null when it does not. */
async function told(node) {
  const answer = await fetch(`${node}/api/v1/stations/talk`, { headers: { Authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(2000) }).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

/** Waits until nodes say what the test wants of them. */
async function know(what, which, test) {
  let last = [];
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
    last = await Promise.all(which.map(told));
    if (last.every((s) => s && test(s, s.speakers.find((p) => p.name === 'Anna')))) return last;
  }
  throw new Error(`never: ${what}: ${JSON.stringify(last.map((s) => s && [s.phase, s.record, s.speakers]))}`);
}

/**
 * Writes down what a page's loudspeakers give, each 10 ms: whether it is a sound, and how
 * many of them are open. The sound is read from a buffer of 0.68 s, so that a page that is
 * busy for so long is not taken for silence.
 */
const open = (page) =>
  page.evaluate(() => {
    const context = new AudioContext();
    const ear = new AnalyserNode(context, { fftSize: 32_768 });
    const x = new Float32Array(ear.fftSize);
    const span = context.sampleRate / 100;
    const streams = new Map();
    const sounds = (audio) => !audio.muted && !audio.paused && audio.srcObject !== null;
    const all = () => [...document.querySelectorAll('audio')];
    const hold = (audio) => {
      const { srcObject } = audio;
      if (srcObject && streams.get(audio)?.srcObject !== srcObject) {
        const gain = new GainNode(context);
        context.createMediaStreamSource(srcObject).connect(gain).connect(ear);
        streams.get(audio)?.gain.disconnect();
        streams.set(audio, { srcObject, gain });
      }
      if (streams.has(audio)) streams.get(audio).gain.gain.value = sounds(audio) ? 1 : 0;
    };
    for (const audio of all()) audio.addEventListener('volumechange', () => hold(audio));
    window.spans = [];
    let read = context.currentTime;
    setInterval(() => {
      all().forEach(hold);
      const n = all().filter(sounds).length;
      const fresh = Math.floor(((context.currentTime - read) * context.sampleRate) / span);
      read += (fresh * span) / context.sampleRate;
      ear.getFloatTimeDomainData(x);
      for (let i = Math.min(fresh, Math.floor(x.length / span)); i > 0; i--) {
        const loud = x.subarray(x.length - i * span, x.length - (i - 1) * span).some((v) => Math.abs(v) > 0.003);
        window.spans.push([Date.now() - 10 * i, loud, n]);
      }
    }, 50);
  });

/** The longest silence since a time, in ms, of every page; never do two loudspeakers sound at once. */
async function silences(since) {
  const all = people.all().map(async (p) => {
    const spans = (await p.page.evaluate(() => window.spans)).filter(([at]) => at >= since);
    assert.ok(spans.some(([, loud]) => loud), `${p.name} heard nobody`);
    assert.ok(spans.every(([, , n]) => n <= 1), `${p.name} heard two returns at once`);
    let [longest, run] = [0, 0];
    for (const [, loud] of spans) longest = Math.max(longest, (run = loud ? 0 : run + 10));
    return [p.name, longest];
  });
  return Object.fromEntries(await Promise.all(all));
}

async function ask(what) {
  console.log(what);
  await once(process.stdin, 'data');
}

const calm = (page) => page.waitForSelector('.trouble[data-calm]:not(:empty)');
const well = (page) => page.waitForSelector('.trouble:empty', { state: 'attached' });

async function begin() {
  const host = await people.enter('Host', settings.host);
  const anna = await people.enter('Anna', await invite(host, 'Anna'));
  await anna.waitForSelector('[data-place="green"]');
  await know('both have both voices', nodes, (s) => s.speakers.filter((p) => p.connected).length === 2);
  await seatOf(host, 'Anna').getByText('Take on air').click();
  await host.waitForSelector('.onair [data-seat]:has-text("Anna")');
  await host.click('.golive[data-deed="live"]');
  for (const p of people.all()) await p.page.waitForSelector('body[data-air]');
  const [a, b] = await know('both are live with Anna', nodes, (s, anna) => s.phase === 'live' && anna.on_air);
  assert.equal(a.broadcast.id, b.broadcast.id, 'it is one broadcast');
  for (const p of people.all()) await well(p.page);
  return { host, anna };
}

async function evening() {
  const { host, anna } = await begin();
  const mute = () => seatOf(host, 'Anna').getByText(/^(Mute|Unmute)$/).click();
  await mute();
  await know("the host's mute is known to both", nodes, (_, p) => p.muted);
  await mute();
  await know('Anna is heard at both', nodes, (_, p) => !p.muted);
  for (const p of people.all()) await open(p.page);
  mark('live');
  await sleep(lasts);
  gaps.live = await silences(done.live + 500);

  mark('kill');
  await ask('kill');
  await Promise.all(people.all().map((p) => calm(p.page)));
  await sleep(lasts);
  for (const p of people.all()) assert.ok(await p.page.$('body[data-air]'), `${p.name} is on air`);
  gaps.kill = await silences(done.kill);
  for (const p of people.all()) await people.shot(p.name, 'alone');
  mark('alone');
  const fader = seatOf(host, 'Anna').locator('input[type=range]');
  await fader.focus();
  await fader.press('ArrowLeft');
  await know("the fader is known to the one that is there", nodes.slice(1), (_, p) => p.gain_db === -0.5);

  mark('start');
  await ask('start');
  await know('the one that came back knows all and has the voices', nodes, (s, p) => s.phase === 'live' && p?.gain_db === -0.5 && s.speakers.filter((x) => x.connected && x.on_air).length === 2);
  await Promise.all(people.all().map((p) => well(p.page)));
  mark('back');
  await sleep(lasts);
  gaps.start = await silences(done.start);
  mark('over');
  const said = people.all().map((p) => [p.name, p.said.filter((text) => !/net::ERR_|404/.test(text))]);
  return { done, gaps, said: Object.fromEntries(said) };
}

process.exit(await people.run(evening, done));
