// A server to try the page on: it serves dist/ as page.go does and answers the API for
// one station. Its state lies open: a test changes it and tells the page.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** The page as page.go makes it, with its policy, at a node with twins. */
async function page(twins) {
  const { files } = JSON.parse(await readFile(join(root, 'dist/manifest.json'), 'utf8'));
  const policy = /const Policy = ([^]*?)\n\n/.exec(await readFile(join(root, 'page.go'), 'utf8'))[1].replace(/"\s*\+\s*"|^"|"$/g, '');
  const values = { Name: 'talk', Title: 'Talk', Script: `talk/a/${files['page.js']}`, Style: `talk/a/${files['style.css']}`, Icon: `talk/a/${files['icon.svg']}` };
  const template = (await readFile(join(root, 'page.html.tmpl'), 'utf8')).replace(/\{\{with \.Twins\}\}(.*?)\{\{\.\}\}(.*?)\{\{end\}\}/, twins.length ? `$1${twins.join(' ')}$2` : '');
  const html = template.replace(/\{\{\.(\w+)\}\}/g, (_, name) => values[name]);
  return { html, policy: policy.replace("connect-src 'self'", ["connect-src 'self'", ...twins].join(' ')) };
}

const iso = (ms) => new Date(ms).toISOString();

export const seat = (id, name, more = {}) => ({
  seat: id, name, role: 'speaker', transport: 'whip', connected: true, since: iso(Date.now()), on_air: false,
  muted: false, gain_db: 0, feed: false, music: false, speaking: false, ...more,
});

export const broadcast = (more = {}) => ({
  id: 'b1', title: 'An evening about radio', description: '', state: 'doors', start: null, doors_at: null,
  live_at: null, ended_at: null, late_seconds: 0, ...more,
});

/** What a host made of a seat, as a record has it. */
function known({ speakers }, seat) {
  const { on_air, muted, gain_db } = speakers.find((p) => p.seat === seat) ?? {};
  return on_air === undefined ? {} : { on_air, muted, gain_db };
}

class Fake {
  twins = [];
  /** What every snapshot says; who asks is added. */
  state = {
    station: { name: 'talk', title: 'Talk' }, phase: 'auto', broadcast: null, next: null, audience_hears: 'hold', hold: false,
    speakers: [], cue: [], talkback: [], alarms: [], ice_servers: [], record: '0',
  };
  tokens = {
    HOST: { seat: 'h1', name: 'Maren', role: 'host', music: false },
    GUEST: { seat: 'g1', name: 'Jonas', role: 'speaker', music: false },
    BAND: { seat: 'm1', name: 'The Band', role: 'speaker', music: true },
  };
  refused = { EXPIRED: [403, 'expired'], REVOKED: [403, 'revoked'], OTHER: [403, 'forbidden'] };
  broadcasts = [];
  links = [];
  calls = []; // method, path, body and time of what was asked
  streams = new Set();
  voices = new Map(); // seat: the resource of its voice
  hung = false; // true: nothing is said and nothing answered
  down = false; // true: no answer but a closed connection
  media = 201; // the status of the next answers to WHIP and WHEP
  levels = {};
  programme = { m: -18.4, s: -18.2, i: -18.1, tp: -1.4, limiter_db: 0 };

  /** Changes the state and tells every page. */
  set(change) {
    Object.assign(this.state, change);
    for (const s of this.streams) this.send(s, 'state', this.snapshot(s.me));
  }

  person(id, change) {
    this.set({ speakers: this.state.speakers.map((p) => (p.seat === id ? { ...p, ...change } : p)) });
  }

  snapshot(me) {
    return { ...this.state, now: iso(Date.now()), me, links: { audience: `${this.url}/talk/`, studio: `${this.url}/studio/talk` } };
  }

  send(stream, event, data, id) {
    if (this.hung) return;
    stream.response.write(`${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  news(kind, who, text = '') {
    const id = String(++this.count);
    for (const s of this.streams) this.send(s, 'news', { id, time: iso(Date.now()), kind, seat: who, text }, id);
  }
  count = 0;

  bye(reason) {
    for (const s of this.streams) {
      this.send(s, 'bye', { reason });
      s.response.end();
    }
    this.streams.clear();
  }

  /** Ends the streams of events without a word. */
  drop() {
    for (const s of this.streams) s.response.destroy();
    this.streams.clear();
  }

  tick() {
    for (const s of this.streams) this.send(s, 'levels', { now: iso(Date.now()), programme: this.programme, lanes: this.levels });
  }

  problem(response, status, kind, detail = 'Ask the host.') {
    response.writeHead(status, { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', 'Retry-After': '1' });
    response.end(JSON.stringify({ type: `urn:longwave:${kind}`, title: kind, status, detail }));
  }

  json(response, status, body) {
    response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  }

  /** Has a twin from now on. */
  async twin(url) {
    this.twins = [url];
    Object.assign(this, await page(this.twins));
  }

  /** Lets the pages of the twins read the answers; returns whether that was all. */
  shares(request, response) {
    const { origin } = request.headers;
    if (!this.twins.includes(origin)) return false;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Expose-Headers', 'Location');
    if (request.method !== 'OPTIONS') return false;
    response.writeHead(204, { 'Access-Control-Allow-Methods': 'DELETE, GET, PATCH, POST, PUT', 'Access-Control-Allow-Headers': 'Authorization, Content-Type, Last-Event-ID' }).end();
    return true;
  }

  async handle(request, response) {
    if (this.down) return request.socket.destroy();
    if (this.hung) return;
    if (this.shares(request, response)) return;
    const { pathname } = new URL(request.url, 'http://x');
    if (pathname === '/studio/talk') {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': this.policy, 'Referrer-Policy': 'no-referrer', 'Permissions-Policy': 'microphone=(self), camera=(), geolocation=()' });
      return response.end(this.html);
    }
    if (pathname.startsWith('/studio/talk/a/')) {
      const data = await readFile(join(root, 'dist/a', pathname.slice(15))).catch(() => null);
      response.writeHead(data ? 200 : 404, { 'Content-Type': types[extname(pathname)] ?? 'text/plain' });
      return response.end(data ?? '');
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body = request.headers['content-type'] === 'application/json' && text ? JSON.parse(text) : text;
    this.calls.push({ method: request.method, path: pathname, body, at: performance.now() });
    if (this.refused[token]) return this.problem(response, ...this.refused[token]);
    const me = this.tokens[token];
    if (!me) return this.problem(response, 401, 'unauthorized');
    const route = pathname.replace('/api/v1/stations/talk', '');
    if (/^\/(whip|whep)\//.test(pathname)) return this.media_(request, response, me, pathname);
    if (route === '/events') return this.events(request, response, me);
    return this.api(`${request.method} ${route}`, response, me, body);
  }

  events(request, response, me) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const stream = { response, me };
    this.streams.add(stream);
    request.on('close', () => this.streams.delete(stream));
    response.on('close', () => this.streams.delete(stream));
    this.send(stream, 'state', this.snapshot(me));
  }

  /** WHIP and WHEP: who publishes has a seat; peer.js makes the answer. */
  media_(request, response, me, path) {
    if (request.method === 'DELETE') {
      if (this.voices.get(me.seat) === path) this.person(me.seat, { connected: false }); // not when it is an older one's
      return response.writeHead(200).end();
    }
    if (this.media !== 201) return this.problem(response, this.media, 'busy', 'The house is full.');
    const resource = `${path}/r${++this.count}`;
    response.writeHead(201, { Location: resource, 'Content-Type': 'application/sdp' });
    response.end();
    if (path !== '/whip/talk') return;
    this.voices.set(me.seat, resource);
    this.enter(me);
  }

  enter(me) {
    const since = iso(Date.now());
    if (this.state.speakers.some((p) => p.seat === me.seat)) return this.person(me.seat, { connected: true, since });
    this.set({ speakers: [...this.state.speakers, seat(me.seat, me.name, { role: me.role, music: me.music, on_air: me.role === 'host', since })] });
  }

  api(route, response, me, body) {
    const own = /^PATCH \/speakers\/(.+)$/.exec(route);
    if (me.role !== 'host' && route !== 'GET ' && own?.[1] !== me.seat) return this.problem(response, 403, 'forbidden', 'Only the host may do this.');
    const end = (deed, result) => {
      deed();
      this.json(response, 200, result?.());
    };
    const live = (state, phase, hears) => end(() => this.set({ phase, audience_hears: hears, broadcast: { ...(this.state.broadcast ?? broadcast()), ...state } }), () => this.state.broadcast);
    const id = route.split('/').at(-1);
    if (own) return end(() => this.person(id, body), () => this.state.speakers.find((p) => p.seat === id));
    switch (route.replace(/(?<=^DELETE \/\w+\/).*/, '*')) {
      case 'GET ':
        return this.json(response, 200, this.snapshot(me));
      case 'POST /live':
        if (this.state.phase === 'live') return this.problem(response, 409, 'conflict', 'The broadcast is live already.');
        return live({ state: 'live', live_at: iso(Date.now()) }, 'live', 'live');
      case 'POST /end':
        return live({ state: 'ended', ended_at: iso(Date.now()) }, 'ended', 'hold');
      case 'PUT /hold':
        return end(() => this.set({ hold: body.on, audience_hears: body.on ? 'hold' : 'live' }));
      case 'PUT /cue':
        return end(() => this.set({ cue: body.seats }));
      case 'PUT /talkback':
        return end(() => this.set({ talkback: body.all ? this.state.speakers.filter((p) => p.connected && p.seat !== me.seat).map((p) => p.seat) : body.seats }));
      case 'DELETE /speakers/*':
        return end(() => this.set({ speakers: this.state.speakers.filter((p) => p.seat !== id) }));
      case 'GET /record':
        return this.json(response, 200, this.state);
      case 'PUT /record': // the one with the higher record knows all
        return end(() => body.record > this.state.record && this.set({ ...body, speakers: this.state.speakers.map((p) => ({ ...p, ...known(body, p.seat) })) }), () => this.state);
      case 'GET /broadcasts':
        return this.json(response, 200, { broadcasts: this.broadcasts });
      case 'POST /broadcasts': {
        const made = broadcast({ id: `b${++this.count}`, title: body.title, start: body.start, state: 'scheduled' });
        return end(() => this.broadcasts.push(made), () => made);
      }
      case 'DELETE /broadcasts/*':
        return end(() => (this.broadcasts = this.broadcasts.filter((b) => b.id !== id)));
      case 'GET /links':
        return this.json(response, 200, { links: this.links });
      case 'POST /links':
        return this.link(response, body);
      case 'DELETE /links/*':
        return end(() => (this.links = this.links.filter((l) => l.id !== id)));
      default:
        return this.problem(response, 404, 'not-found');
    }
  }

  link(response, body) {
    if (body.name.length > 16) return this.problem(response, 422, 'invalid', 'The name is too long: use at most 16 letters.');
    const link = { id: `l${++this.count}`, role: body.role, name: body.name, expires: iso(Date.now() + body.hours * 3_600_000) };
    this.links.push(link);
    const token = 'EwBkM2V4YW1wbGUtdG9rZW4tb2YtYS1ndWVzdA';
    this.json(response, 201, {
      ...link, token, url: `${this.url}/studio/talk#${token}`,
      push: {
        whip: `${this.url}/whip/talk`,
        rtmp: `rtmp://localhost/live/${token}`,
        srt: `srt://localhost:8890?streamid=${token}`,
        icecast: `icecast://source:${token}@localhost:8080/ice/talk`,
      },
    });
  }
}

/** Starts two fake servers that are twins. */
export async function twins() {
  const both = [await fake(), await fake()];
  for (const it of both) await it.twin(both.find((o) => o !== it).url);
  return both;
}

/** Starts a fake server and returns it; its url is where it listens, stop ends it. */
export async function fake() {
  const it = new Fake();
  Object.assign(it, await page([]));
  const server = createServer((request, response) => {
    it.handle(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  it.url = `http://127.0.0.1:${server.address().port}`;
  const timer = setInterval(() => it.tick(), 100);
  it.stop = () => {
    clearInterval(timer);
    it.drop();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return it;
}
