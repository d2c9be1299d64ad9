// A speaker whose browser is killed, and who comes back with a new one. One JSON object
// on standard output says when what was done, in ms of the wall clock:
//
//   node seat.mjs '{"host":"http://…/studio/talk#…","guest":"http://…/studio/talk#…","speakers":2}'
//
// host takes all on air when so many are there. {"on":…,"killed":…,"opened":…,"joined":…,"ended":…}
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { enter, microphone, open, speakerBrowser, takeOnAir } from './studio.mjs';

const scene = 6000; // of each

/** Ends a browser and all its processes without letting them say goodbye. */
async function kill(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  for (const { id } of processInfo) {
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // its parent was quicker
    }
  }
}

const settings = JSON.parse(process.argv[2]);
const dir = await mkdtemp(join(tmpdir(), 'longwave-seat-'));
const done = {};
const mark = (what) => (done[what] = Date.now());
let second;
try {
  const wav = join(dir, 'guest.wav');
  await writeFile(wav, microphone(true));
  const first = await speakerBrowser(wav);
  await enter(await open(first, settings.guest));
  await takeOnAir(settings.host, settings.speakers);
  mark('on');
  await sleep(scene);
  mark('killed');
  await kill(first);
  second = await speakerBrowser(wav);
  await sleep(scene / 2);
  mark('opened');
  done.joined = await enter(await open(second, settings.guest));
  await sleep(scene);
  mark('ended');
  console.log(JSON.stringify(done));
} catch (e) {
  console.error(`seat: after ${JSON.stringify(done)}: ${e.stack}`);
  process.exitCode = 1;
} finally {
  await second?.close();
  await rm(dir, { recursive: true });
}
