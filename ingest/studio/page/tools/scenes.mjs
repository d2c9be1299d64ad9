// What the page's tests in a browser share: a context and a server of their own for each, and
// what they wait for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, newPage } from './browser.mjs';
import { fake, twins } from './fake.mjs';

let chromium;

/** Starts the browser of a file of tests. */
export function withBrowser() {
  before(async () => {
    chromium = await browser();
  });
  after(async () => {
    await chromium?.close();
  });
}

/** Gives a context and a server of its own to a test. */
export function scene(name, options, run) {
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

export const open = async (context, server, token) => {
  const page = await newPage(context);
  await page.goto(`${server.url}/studio/talk#${token}`);
  await page.waitForSelector('.door');
  return page;
};
export const place = (page, name) => page.waitForSelector(`[data-place="${name}"]`);
export const asked = (server, method, path) => server.calls.filter((c) => c.method === method && c.path.endsWith(path));
export const until = async (test, what) => {
  for (let i = 0; i < 200; i++) {
    if (await test()) return;
    await new Promise((r) => setTimeout(r, 50));
  }
  assert.fail(`never: ${what}`);
};
export const connected = (page, kind, n = 1) => page.waitForFunction(([k, n]) => window.peers[k].filter((pc) => pc.connectionState === 'connected').length >= n, [kind, n]);

/** Gives a context and two servers that are twins to a test. */
export function pair(name, run) {
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

export const both = async (servers, method, path, n = 1) => {
  for (const s of servers) await until(() => asked(s, method, path).length === n, `${method} ${path} at both`);
};
