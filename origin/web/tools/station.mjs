// A station to try the page on: the real program, built from the sources or given
// as LONGWAVE, or one that runs already (LONGWAVE_URL, the address of its page).
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** The browser of the tests: the system's. */
export const browser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic'],
  });

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Builds the program from the sources beside us. */
function build(path) {
  const env = { GOFLAGS: '-tags=nolibopusfile', ...process.env };
  const { status } = spawnSync('go', ['build', '-o', path, './cmd/longwave'], { cwd: root, env, stdio: 'inherit' });
  if (status !== 0) throw new Error('go build ./cmd/longwave failed');
  return path;
}

async function untilItAnswers(url, child) {
  for (let i = 0; i < 150; i++) {
    if (child.exitCode !== null) throw new Error(`longwave ended with ${child.exitCode}`);
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await sleep(200);
  }
  throw new Error(`${url} does not answer`);
}

/** Starts a station and returns its page's address and how to stop it. */
export async function station() {
  if (process.env.LONGWAVE_URL) return { url: process.env.LONGWAVE_URL, stop: async () => {} };
  const data = await mkdtemp(join(tmpdir(), 'longwave-page-'));
  const port = await freePort();
  const program = process.env.LONGWAVE || build(join(data, 'longwave'));
  const args = ['serve', '--listen', `127.0.0.1:${port}`, '--metrics', 'off', '--data', join(data, 'data')];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await ended;
    }
    await rm(data, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}/talk/`;
  try {
    await untilItAnswers(`${url}opus.m3u8`, child);
  } catch (e) {
    await stop();
    throw e;
  }
  return { url, stop };
}
