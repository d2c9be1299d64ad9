// Brings the page into each of its states by what it meets on the line, never by
// reaching into it. Used by the screenshots and by the tests.

const playlists = /\.m3u8(\?|$)/;
const engine = /\/engine-[^/]*\.js(\?|$)/;
const anything = /\.(m3u8|m4s|mp4)(\?|$)/;

const press = (page) => page.click('#toggle');
const phase = (page, name) => page.waitForSelector(`#player[data-phase="${name}"]`, { timeout: 20_000 });
const fail = (page, what, deed) => page.route(what, deed);
const absent = (route) => route.fulfill({ status: 404, body: '' });

const marks = /^#EXT-X-DATERANGE:.*\n/gm;
const live = /live\.m3u8(\?|$)/;

/** Lets media playlists through with these lines in the place of their marks. */
async function tell(page, ...lines) {
  await page.route(live, async (route) => {
    try {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: [(await answer.text()).replace(marks, ''), ...lines, ''].join('\n') });
    } catch {
      await route.abort().catch(() => {}); // the page was closed meanwhile
    }
  });
}

/** Answers as a store does: plain playlists, whatever is asked for. */
async function plain(route) {
  const quick = /^#EXT-X-(PART|PART-INF|PRELOAD-HINT|RENDITION-REPORT|SERVER-CONTROL|SKIP)\b.*\n/gm;
  try {
    const answer = await route.fetch({ url: route.request().url().split('?')[0] });
    await route.fulfill({ response: answer, body: [(await answer.text()).replace(quick, '').replace(marks, ''), onAir('live'), ''].join('\n') });
  } catch {
    await route.abort().catch(() => {}); // the page was closed meanwhile
  }
}

async function fallen(page) {
  await tell(page, onAir('live'));
  await playing(page);
  await page.route(live, plain);
  await phase(page, 'fallback');
}

const mark = (name, attribute, value) =>
  `#EXT-X-DATERANGE:ID="${name}-1",CLASS="longwave.${name}",START-DATE="2020-01-01T00:00:00.000Z",${attribute}="${value}"`;
const onAir = (state) => mark('onair', 'X-STATE', state);
const speaker = mark('speaker', 'X-SPEAKER', 'Guest 1');

async function playing(page) {
  await press(page);
  await phase(page, 'playing');
}

/** Each state: before opens the page's world, after leads to the state. */
export const states = {
  idle: { after: (page) => phase(page, 'idle') },
  starting: {
    before: (page) => fail(page, playlists, () => {}),
    after: async (page) => {
      await press(page);
      await phase(page, 'starting');
    },
  },
  // As starting, but what plays is not here yet.
  early: {
    before: (page) => fail(page, engine, () => {}),
    after: async (page) => {
      await press(page);
      await phase(page, 'starting');
    },
  },
  unloaded: { before: (page) => fail(page, engine, absent), after: (page) => phase(page, 'unloaded') },
  loading: {
    before: (page) => fail(page, engine, absent),
    after: async (page) => {
      await press(page);
      await phase(page, 'loading');
    },
  },
  live: { before: (page) => tell(page, onAir('live'), speaker), after: playing, settle: 1500 },
  hold: { before: (page) => tell(page, onAir('hold')), after: playing, settle: 1500 },
  playing: { before: (page) => tell(page), after: playing, settle: 1500 },
  fallback: { after: fallen, settle: 1500 },
  returned: {
    after: async (page) => {
      await fallen(page);
      await page.unroute(live, plain);
      await page.waitForSelector('#player[data-sentence="returned"]', { timeout: 20_000 });
    },
    settle: 1500,
  },
  reconnecting: {
    after: async (page) => {
      await playing(page);
      await fail(page, anything, (route) => route.abort('connectionrefused'));
      await phase(page, 'reconnecting');
    },
  },
  offline: {
    after: async (page) => {
      await playing(page);
      await page.context().setOffline(true);
      await phase(page, 'offline');
    },
  },
  absent: { before: (page) => fail(page, playlists, absent), after: (page) => phase(page, 'absent') },
  waiting: {
    before: (page) => fail(page, playlists, absent),
    after: async (page) => {
      await phase(page, 'absent');
      await press(page);
      await phase(page, 'waiting');
    },
  },
  ended: {
    before: (page) => tell(page, '#EXT-X-ENDLIST'),
    after: async (page) => {
      await press(page);
      await phase(page, 'ended');
    },
  },
  unsupported: {
    before: (page) =>
      page.addInitScript(() => {
        delete window.MediaSource;
        delete window.ManagedMediaSource;
        HTMLMediaElement.prototype.canPlayType = () => '';
      }),
    after: (page) => phase(page, 'unsupported'),
  },
};

/** Opens url in a new page of the context and leads it to a state. */
export async function lead(context, url, name) {
  const { before, after, settle = 0 } = states[name];
  const page = await context.newPage();
  await before?.(page);
  await page.goto(url);
  await after(page);
  await page.waitForTimeout(settle);
  return page;
}
