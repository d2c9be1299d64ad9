// Brings the page into each of its states by what the server says and what a hand does,
// never by reaching into it. Used by the pictures and by the tests.
import { newPage } from './browser.mjs';
import { broadcast, seat } from './fake.mjs';

const at = (s) => new Date(Date.now() + s * 1000).toISOString();
const level = (rms, more = {}) => ({ rms, peak: rms + 9, fill: rms < -60 ? 'silent' : 'heard', speaking: rms > -40, ...more });

const air = (page) => page.waitForSelector('body[data-air]');

export async function join(page) {
  await page.click('.join');
  await page.waitForSelector('.own');
  await page.waitForFunction(() => window.peers.whip.some((pc) => pc.connectionState === 'connected'));
}

function four(server) {
  server.state.speakers = [
    seat('h1', 'Maren', { role: 'host', on_air: true, connected: false }),
    seat('g1', 'Jonas', { on_air: true, gain_db: -3 }),
    seat('g2', 'Dr. Wilhelmine Oberhuber', { on_air: true, muted: true }),
    seat('f1', 'OBS Studio 2', { transport: 'rtmp', feed: true, on_air: true, gain_db: -12.5 }),
    seat('g3', 'Ada', {}),
    seat('g4', 'Bo', { connected: false, music: true }),
  ];
  server.levels = { h1: level(-22), g1: level(-19), g2: level(-50), f1: level(-28, { fill: 'concealed' }), g3: level(-34) };
}

const doors = (server, start) => server.set({ phase: 'doors', audience_hears: 'hold', broadcast: broadcast({ start: at(start), doors_at: at(start - 1800) }) });
const live = (server, more = {}) => server.set({ phase: 'live', audience_hears: 'live', broadcast: broadcast({ state: 'live', start: at(-192), live_at: at(-192) }), ...more });

/** Each state: whose key, what the server knows, what is done, how long it takes. */
export const states = {
  'no-token': { token: '', after: (page) => page.waitForSelector('.gate h1') },
  expired: { token: 'EXPIRED', after: (page) => page.waitForSelector('.gate h1') },
  ask: { token: 'GUEST', prompt: true, after: (page) => page.waitForSelector('.door') },
  check: { token: 'GUEST', before: (s) => doors(s, 700), after: (page) => page.waitForSelector('.advice[data-advice="level_good"]') },
  denied: {
    token: 'GUEST',
    deny: 'NotAllowedError',
    after: (page) => page.waitForSelector('.wrong:not(:empty)'),
  },
  green: { token: 'GUEST', before: (s) => (four(s), doors(s, 700), drop(s, 'g1')), after: async (page) => (await join(page), await page.waitForSelector('[data-place="green"]')) },
  air: { token: 'GUEST', before: (s) => (four(s), live(s)), after: async (page) => (await join(page), await air(page)) },
  muted: {
    token: 'GUEST',
    before: (s) => (four(s), live(s)),
    after: async (page) => {
      await join(page);
      await air(page);
      await page.click('.mute');
      await page.waitForSelector('.own[data-muted]');
    },
  },
  removed: {
    token: 'GUEST',
    after: async (page, server) => {
      await join(page);
      server.bye('removed');
      await page.waitForSelector('.parted:not(:empty)');
    },
  },
  reconnecting: {
    token: 'GUEST',
    before: (s) => (four(s), live(s)),
    after: async (page, server) => {
      await join(page);
      await air(page);
      server.down = true;
      server.drop();
      await page.waitForSelector('.trouble:not(:empty)');
    },
  },
  'host-first': { token: 'HOST', after: (page) => page.waitForSelector('.deskgrid') },
  'host-doors': { token: 'HOST', before: (s) => (four(s), doors(s, 754), drop(s, 'g4')), after: join },
  'host-late': { token: 'HOST', before: (s) => (four(s), doors(s, -422)), after: join },
  'host-live': { token: 'HOST', before: (s) => (four(s), live(s), (s.links = some())), after: async (page) => (await join(page), await air(page)), settle: 800 },
  'host-talkback': { token: 'HOST', before: (s) => (four(s), live(s, { talkback: ['g3'], cue: ['g3'] })), after: async (page) => (await join(page), await page.waitForSelector('body[data-talk]')) },
  alarms: {
    token: 'HOST',
    before: (s) => {
      four(s);
      live(s, {
        alarms: [
          { kind: 'speaker_silent', level: 'warn', since: at(-9), seat: 'g1', text: '' },
          { kind: 'dead_air', level: 'alarm', since: at(-15), seat: '', text: '' },
        ],
      });
    },
    after: async (page) => (await join(page), await page.waitForSelector('.alarms li')),
  },
  end: {
    token: 'HOST',
    before: (s) => (four(s), live(s)),
    after: async (page) => {
      await join(page);
      await page.click('.golive');
      await page.waitForSelector('dialog[open]');
    },
  },
  'new-link': {
    token: 'HOST',
    after: async (page) => {
      await page.click('.links .wide');
      await page.waitForSelector('dialog[open]');
    },
  },
  'made-link': {
    token: 'HOST',
    after: async (page) => {
      await page.click('.links .wide');
      await page.fill('dialog input', 'Ada');
      await page.click('dialog [type=submit]');
      await page.click('dialog summary');
    },
  },
  'twin-away': {
    token: 'HOST',
    before: async (s) => (four(s), live(s), await s.twin('http://b.localhost')),
    after: async (page) => (await join(page), await page.waitForSelector('.trouble[data-calm]:not(:empty)')),
  },
  'twin-away-guest': {
    token: 'GUEST',
    before: async (s) => (four(s), live(s), await s.twin('http://b.localhost')),
    after: async (page) => (await join(page), await page.waitForSelector('.trouble[data-calm]:not(:empty)')),
  },
  'made-link-twin': {
    token: 'HOST',
    before: (s) => s.twin('http://b.localhost'),
    after: async (page) => {
      await page.click('.links .wide');
      await page.fill('dialog input', 'Ada');
      await page.click('dialog [type=submit]');
      await page.click('dialog summary');
    },
  },
  announce: {
    token: 'HOST',
    after: async (page) => {
      await page.click('.schedule .wide');
      await page.waitForSelector('dialog[open]');
    },
  },
};

function drop(server, id) {
  server.state.speakers = server.state.speakers.filter((p) => p.seat !== id);
}

const some = () => [
  { id: 'l1', role: 'speaker', name: 'Jonas', expires: at(86_400) },
  { id: 'l2', role: 'speaker', name: 'Ada', expires: null },
];

/** Makes getUserMedia fail by a name. */
const deny = (name) => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', name));
};

/** As in a browser that has not asked yet. */
const unasked = () => {
  navigator.permissions.query = () => Promise.resolve({ state: 'prompt' });
};

/** Opens the studio of a server in a new page of the context and leads it to a state. */
export async function lead(context, server, name) {
  const state = states[name];
  const page = await newPage(context);
  if (state.prompt) await page.addInitScript(unasked);
  if (state.deny) await page.addInitScript(deny, state.deny);
  await state.before?.(server);
  await page.goto(`${server.url}/studio/talk${state.token ? `#${state.token}` : ''}`);
  await state.after(page, server);
  await page.waitForTimeout(state.settle ?? 300);
  return page;
}
