// Lets headless Chromium speak by WHIP and hear by WHEP, and prints what became of it
// as one JSON object.
//
//   node driver.mjs '{"url":"http://127.0.0.1:8080","speak":{"token":"…","wav":"tone.wav"},"hear":{"token":"…"},"seconds":3}'
//
// url is a server with /whip/talk, /whep/talk and a page at /blank. Of speak: wav is
// the microphone (a file for Chromium's fake device; without one the page makes
// clicks), video puts a section "first" or "last", trickle sends candidates by PATCH,
// restart restarts ICE after the connection. The delay is between the click's samples
// leaving one page's Web Audio and entering another's: devices are not in it.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

// One lock file pins what all pages and their tests use.
const require = createRequire(new URL('../../../../origin/web/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const settings = JSON.parse(process.argv[2]);
const flags = [
  '--no-sandbox',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--disable-background-networking',
];
if (settings.speak?.wav) flags.push(`--use-file-for-fake-audio-capture=${settings.speak.wav}`);

// What both pages have: a client of WHIP and WHEP.
function client() {
  const lines = (sdp, wanted) => sdp.split('\r\n').filter((l) => wanted.some((w) => l.startsWith(w)));
  const fragment = (sdp, candidates) => {
    const [head, first] = sdp.split('\r\nm=').slice(0, 2);
    const all = `${head}\r\n${first}`;
    const ice = lines(all, ['a=ice-ufrag:', 'a=ice-pwd:']).slice(0, 2);
    return [...ice, `m=${first.split('\r\n')[0]}`, ...lines(first, ['a=mid:']), ...candidates, 'a=end-of-candidates', ''].join('\r\n');
  };
  const gathered = (pc) =>
    new Promise((resolve) => {
      const look = () => pc.iceGatheringState === 'complete' && resolve();
      pc.addEventListener('icegatheringstatechange', look);
      look();
    });
  const patch = (s, match, body) =>
    fetch(s.resource, {
      method: 'PATCH',
      headers: { Authorization: `Bearer ${s.token}`, 'If-Match': match, 'Content-Type': 'application/trickle-ice-sdpfrag' },
      body,
    });
  globalThis.connect = async (kind, token, pc, trickle) => {
    const s = { token, pc, statuses: [] };
    await pc.setLocalDescription();
    if (!trickle) await gathered(pc);
    const answer = await fetch(`/${kind}/talk`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' },
      body: pc.localDescription.sdp,
    });
    s.statuses.push(answer.status);
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    s.resource = new URL(answer.headers.get('Location'), location.href).href;
    s.etag = answer.headers.get('ETag');
    s.answer = await answer.text();
    await pc.setRemoteDescription({ type: 'answer', sdp: s.answer });
    if (trickle) {
      await gathered(pc);
      const sdp = pc.localDescription.sdp;
      const r = await patch(s, s.etag, fragment(sdp, [...new Set(lines(sdp, ['a=candidate:']))]));
      s.statuses.push(r.status);
    }
    return s;
  };
  globalThis.connected = (pc) =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (pc.connectionState === 'connected') resolve();
        if (pc.connectionState === 'failed') reject(new Error('the connection failed'));
      };
      pc.addEventListener('connectionstatechange', look);
      look();
    });
  globalThis.restart = async (s) => {
    s.pc.restartIce();
    await s.pc.setLocalDescription();
    await gathered(s.pc);
    const sdp = s.pc.localDescription.sdp;
    const r = await patch(s, '*', fragment(sdp, [...new Set(lines(sdp, ['a=candidate:']))]));
    s.statuses.push(r.status);
    if (r.status !== 200) throw new Error(`restart: ${r.status} ${await r.text()}`);
    s.etag = r.headers.get('ETag');
    const fresh = lines(await r.text(), ['a=ice-ufrag:', 'a=ice-pwd:', 'a=candidate:']);
    const old = s.answer.split('\r\n').filter((l) => !/^a=(ice-ufrag|ice-pwd|candidate):/.test(l));
    s.answer = old.flatMap((l) => (l.startsWith('a=mid:') ? [l, ...fresh] : [l])).join('\r\n');
    await s.pc.setRemoteDescription({ type: 'answer', sdp: s.answer });
  };
  globalThis.finish = async (s) => {
    const r = await fetch(s.resource, { method: 'DELETE', headers: { Authorization: `Bearer ${s.token}` } });
    s.statuses.push(r.status);
    s.pc.close();
    return s.statuses;
  };
  globalThis.worklet = async (context, name, code) => {
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([`registerProcessor('${name}', ${code})`], { type: 'text/javascript' })));
    return new AudioWorkletNode(context, name);
  };
}

// Clicks: 10 ms of 2 kHz every second, and when.
async function speak({ token, wav, video, trickle }) {
  const pc = new RTCPeerConnection();
  let stream;
  if (wav) {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  } else {
    const context = new AudioContext();
    const node = await worklet(
      context,
      'clicks',
      `class extends AudioWorkletProcessor {
        n = 0;
        process(_, [[out]]) {
          for (let i = 0; i < out.length; i++, this.n++) {
            const at = this.n % sampleRate;
            if (at === 0) this.port.postMessage(Date.now());
            out[i] = at < sampleRate / 100 ? 0.5 * Math.sin((2 * Math.PI * 2000 * at) / sampleRate) : 0;
          }
          return true;
        }
      }`,
    );
    globalThis.clicks = [];
    node.port.onmessage = (e) => clicks.push(e.data);
    const out = context.createMediaStreamDestination();
    node.connect(out);
    stream = out.stream;
  }
  if (video === 'first') pc.addTransceiver('video', { direction: 'sendonly' });
  pc.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendonly' });
  if (video === 'last') pc.addTransceiver('video', { direction: 'sendonly' });
  globalThis.session = await connect('whip', token, pc, trickle);
  await connected(pc);
}

async function hear({ token }) {
  const pc = new RTCPeerConnection();
  pc.addTransceiver('audio', { direction: 'recvonly' });
  const track = new Promise((resolve) => pc.addEventListener('track', (e) => resolve(e.track)));
  globalThis.session = await connect('whep', token, pc);
  await connected(pc);
  const stream = new MediaStream([await track]);
  const element = new Audio();
  element.srcObject = stream; // without one Chromium delivers nothing
  element.muted = true;
  await element.play();
  const context = new AudioContext();
  const source = context.createMediaStreamSource(stream);
  globalThis.analyser = context.createAnalyser();
  analyser.fftSize = 8192;
  analyser.smoothingTimeConstant = 0;
  source.connect(analyser);
  const node = await worklet(
    context,
    'onsets',
    `class extends AudioWorkletProcessor {
      quiet = 0;
      process([[x]]) {
        if (!x) return true;
        let peak = 0;
        for (const v of x) peak = Math.max(peak, Math.abs(v));
        if (peak < 0.02) this.quiet += x.length;
        else {
          if (this.quiet > sampleRate / 10) this.port.postMessage(Date.now());
          this.quiet = 0;
        }
        return true;
      }
    }`,
  );
  globalThis.onsets = [];
  node.port.onmessage = (e) => onsets.push(e.data);
  source.connect(node);
  globalThis.spectrum = () => {
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    return { step: context.sampleRate / analyser.fftSize, bins: [...bins] };
  };
}

// levels returns the level in dB at each of some frequencies.
function levels({ step, bins }, hz) {
  return hz.map((f) => Math.round(Math.max(...bins.slice(Math.round(f / step) - 2, Math.round(f / step) + 3))));
}

// loudest looks for a second and returns the levels of the moment that had most. A busy
// machine leaves gaps: as long as nothing at all is heard it looks on, for 20 s.
async function loudest(page, hz) {
  const sum = (a) => a.reduce((x, y) => x + 10 ** (y / 20), 0);
  const silent = 1e-3; // -60 dB
  let best = [];
  for (let i = 0; i < 10 || (i < 200 && sum(best) < silent); i++) {
    const now = levels(await page.evaluate(() => spectrum()), hz);
    if (best.length === 0 || sum(now) > sum(best)) best = now;
    await sleep(100);
  }
  return best;
}

async function sent(page) {
  return page.evaluate(async () => {
    const stats = [...(await session.pc.getStats()).values()];
    const out = stats.find((s) => s.type === 'outbound-rtp' && s.kind === 'audio');
    const video = stats.find((s) => s.type === 'outbound-rtp' && s.kind === 'video');
    return { videoBytes: video?.bytesSent ?? 0, packetBytes: out.bytesSent / out.packetsSent };
  });
}

/** Pairs each click with the first onset after it: ms. */
function delays(clicks, onsets) {
  const all = [];
  for (const c of clicks) {
    const o = onsets.find((t) => t >= c);
    if (o !== undefined && o - c < 950) all.push(o - c);
  }
  return { all };
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, args: flags, ignoreDefaultArgs: ['--mute-audio'] });
const result = { messages: [] };
try {
  const open = async () => {
    const page = await browser.newPage();
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && result.messages.push(m.text()));
    page.on('pageerror', (e) => result.messages.push(String(e)));
    await page.goto(`${settings.url}/blank`);
    await page.evaluate(client);
    return page;
  };
  const mouth = settings.speak && (await open());
  const ear = settings.hear && (await open());
  if (mouth) await mouth.evaluate(speak, settings.speak);
  if (ear) await ear.evaluate(hear, settings.hear);
  if (settings.speak?.restart) {
    await mouth.evaluate(() => restart(session));
    await sleep(500);
    await mouth.evaluate(() => connected(session.pc));
  }
  await sleep(1000 * (settings.seconds ?? 3));
  if (mouth) Object.assign(result, await sent(mouth));
  if (ear) result.levels = await loudest(ear, settings.hear.hz ?? []);
  if (mouth && ear && !settings.speak.wav) {
    const settle = Date.now() - 1000 * (settings.seconds ?? 3);
    const clicks = (await mouth.evaluate(() => globalThis.clicks)).filter((t) => t > settle);
    result.delayMs = delays(clicks, await ear.evaluate(() => onsets));
  }
  if (mouth) result.spoke = await mouth.evaluate(() => finish(session));
  if (ear) result.heard = await ear.evaluate(() => finish(session));
} finally {
  await browser.close();
}
console.log(JSON.stringify(result));
