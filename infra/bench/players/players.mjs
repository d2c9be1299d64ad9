// Several players listen to one station in one Chromium and begin together, then the same
// thing happens to all of them. Tells what was heard of each, as one JSON object.
//
//   node players.mjs --seconds 50 --fault '8=curl …' 'hls.js=http://127.0.0.1:1/hlsjs.html?url=…' …
import { parseArgs } from 'node:util';
import { launch, listen } from '../acoustic/meter.mjs';
import { report } from '../acoustic/figures.mjs';

/** A promise for each of so many, kept when all of them have come. */
function together(many) {
  let open;
  const all = new Promise((resolve) => (open = resolve));
  return () => {
    if (--many === 0) open();
    return all;
  };
}

async function hear(browser, url, settings) {
  const { heard, pressed, ended, messages } = await listen(browser, { player: 'page', url, ...settings });
  const { startUpMs, gaps, player } = report(heard, { pressed, ended, settleMs: 0 });
  return { startUpMs, gaps, player: { log: player.log }, messages: messages.slice(-20) };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, fault: { type: 'string', default: '' } },
  });
  const [, second, deed] = /^([0-9.]+)=(.+)$/.exec(values.fault) ?? [];
  const begin = together(positionals.length);
  const browser = await launch();
  try {
    const told = await Promise.all(
      positionals.map(async (text, i) => {
        const [, name, url] = /^([^=]+)=(.+)$/.exec(text);
        const faults = i === 0 && deed ? [{ second: Number(second), deed }] : [];
        return [name, await hear(browser, url, { seconds: Number(values.seconds), faults, begin })];
      }),
    );
    console.log(JSON.stringify(Object.fromEntries(told), null, 2));
  } finally {
    await browser.close();
  }
}

main().catch((e) => {
  console.error(`players: ${e.message}`);
  process.exitCode = 1;
});
