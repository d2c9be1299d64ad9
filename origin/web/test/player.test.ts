// The player against a line that fails in every way, in simulated time.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Player } from '../src/player';
import { nothing } from '../src/marks';
import type { Attempt, Failure, Session, Status } from '../src/session';
import { phase, type State } from '../src/states';

type Line = 'up' | 'hung' | 'frozen' | 'ended' | Failure;

/** A media element and a line, as far as the player sees them. */
class World {
  line: Line = 'up';
  now = 0;
  attempts: number[] = [];
  hosts = [['opus.m3u8', 'index.m3u8']];
  sources: string[] = [];
  reliable: boolean[] = [];
  stale: (number | null)[] = [];
  known: Pick<Attempt, 'hosts' | 'wasQuick'>[] = [];
  reach = (_source: string): boolean => true;
  retries = 0;
  jumps = 0;
  backup = false; // it comes from a store
  latency = 2; // of the store
  most = 1.3; // sound in hand
  phase = '';
  state: State | null = null;
  private buffer = 0;
  private attempt: Attempt | null = null;
  edge = 0;
  readonly audio = Object.assign(new EventTarget(), {
    currentTime: 0,
    seeking: false,
    paused: true,
    ended: false,
    readyState: 0,
    playbackRate: 1,
    play: () => {
      this.audio.paused = false;
      return this.blocked ? Promise.reject(new DOMException('', 'NotAllowedError')) : Promise.resolve();
    },
    pause: () => {
      this.audio.paused = true;
    },
  });

  constructor(readonly blocked = false) {}

  begin = (attempt: Attempt): Session => {
    this.attempts.push(this.now);
    this.sources.push(attempt.source);
    this.reliable.push(attempt.reliable);
    this.stale.push(attempt.staleEdge);
    this.known.push({ hosts: attempt.hosts, wasQuick: attempt.wasQuick });
    this.attempt = attempt;
    this.buffer = 0;
    return {
      status: () => this.status(),
      jump: () => void this.jumps++,
      retry: () => void this.retries++,
      stop: () => {
        this.attempt = null;
        this.buffer = 0;
      },
    };
  };

  private status(): Status | null {
    if (!this.attempt) return null;
    const far = this.backup ? { latency: this.latency, target: 6, part: 0 } : { latency: 1.3, target: 1.28, part: 0.32 };
    return { ...far, buffer: this.buffer, backup: this.backup, quick: !this.backup, edge: this.edge, bitrate: 0, now: nothing };
  }

  // 100 ms of the world: sound in hand is played, the line does what it does.
  step(): void {
    const played = Math.min(0.1, this.buffer);
    this.buffer -= played;
    if (!this.audio.paused) this.audio.currentTime += played;
    const hooks = this.attempt?.hooks;
    if (this.attempt && !this.reach(this.attempt.source)) hooks?.failed('network');
    else if (this.line === 'up') {
      this.edge++;
      this.buffer = Math.min(this.most, this.buffer + 0.5);
      hooks?.found();
      hooks?.moved();
    } else if (this.line === 'ended') hooks?.ended();
    else if (this.line !== 'hung' && this.line !== 'frozen') hooks?.failed(this.line);
    if (!this.attempt) this.buffer = 0;
  }
}

/** A player whose engine still loads. */
function openEarly(world: World): Player {
  return new Player({
    audio: world.audio as unknown as HTMLAudioElement,
    station: 'talk',
    changed: (state) => {
      world.state = state;
      world.phase = phase(state);
    },
    now: () => world.now,
    random: () => 0.5,
  });
}

function equip(player: Player, world: World): void {
  player.equip({ begin: world.begin, hosts: world.hosts });
}

function open(world: World): Player {
  const player = openEarly(world);
  equip(player, world);
  return player;
}

/** Lets time pass; returns how long it was silent, in milliseconds. */
function pass(world: World, seconds: number): number {
  let silent = 0;
  for (let i = 0; i < seconds * 10; i++) {
    const before = world.audio.currentTime;
    world.now += 100;
    world.step();
    mock.timers.tick(100);
    if (world.audio.currentTime === before) silent += 100;
  }
  return silent;
}

function scene(name: string, run: () => void | Promise<void>): void {
  test(name, async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      await run();
    } finally {
      mock.timers.reset();
    }
  });
}

for (const line of ['network', 'absent', 'media', 'hung', 'frozen', 'ended'] as const) {
  for (const seconds of [1, 10, 60, 3600]) {
    scene(`${line} for ${seconds} s: sound comes back by itself`, () => {
      const world = new World();
      open(world).play();
      pass(world, 5);
      assert.equal(world.phase, 'playing');
      world.line = line;
      pass(world, seconds);
      world.line = 'up';
      pass(world, 25);
      assert.equal(world.phase, 'playing');
      assert.equal(pass(world, 5), 0, 'and stays');
      assert.ok(world.attempts.length < 12 + seconds / 4, `${world.attempts.length} attempts`);
    });
  }
}

scene('after a short outage the silence is short', () => {
  const world = new World();
  open(world).play();
  pass(world, 5);
  world.line = 'network';
  pass(world, 3);
  world.line = 'up';
  const silent = pass(world, 10);
  assert.ok(silent < 2000, `${silent} ms of silence after the line came back`);
});

scene('a hiccup is bridged with the sound in hand', () => {
  const world = new World();
  open(world).play();
  pass(world, 5);
  world.line = 'network';
  const silent = pass(world, 0.8);
  world.line = 'up';
  assert.equal(silent + pass(world, 5), 0);
  assert.equal(world.attempts.length, 1, 'nothing was begun anew');
  assert.ok(world.retries > 0);
});

scene('as long as there is sound in hand nothing is begun anew', () => {
  const world = new World();
  world.hosts = [['index.m3u8'], ['https://b.example/talk/index.m3u8']];
  world.most = 6;
  open(world).play();
  pass(world, 10);
  world.line = 'network';
  const silent = pass(world, 5);
  world.line = 'up';
  assert.equal(silent + pass(world, 5), 0);
  assert.equal(world.attempts.length, 1);
  assert.ok(world.retries < 20, `${world.retries} retries in 5 s`);
});

scene('what is missing at first is waited for, and the other list is tried', () => {
  const world = new World();
  world.line = 'absent';
  open(world).play();
  pass(world, 20);
  assert.equal(world.phase, 'waiting');
  assert.deepEqual([...new Set(world.sources)].sort(), ['index.m3u8', 'opus.m3u8']);
  world.line = 'up';
  pass(world, 15);
  assert.equal(world.phase, 'playing');
});

scene('pause ends every attempt', () => {
  const world = new World();
  const player = open(world);
  player.play();
  pass(world, 2);
  world.line = 'network';
  pass(world, 5);
  player.pause();
  const before = world.attempts.length;
  pass(world, 60);
  assert.equal(world.attempts.length, before);
  assert.equal(world.phase, 'idle');
});

scene('a pause from outside is the listener’s', () => {
  const world = new World();
  open(world).play();
  pass(world, 2);
  world.audio.readyState = 4;
  world.audio.dispatchEvent(new Event('pause'));
  assert.equal(world.phase, 'idle');
});

scene('a blocked first play is just the button', async () => {
  const world = new World(true);
  open(world).play();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(world.phase, 'idle');
});

scene('the line is back: no more waiting', () => {
  const world = new World();
  const player = open(world);
  player.play();
  pass(world, 2);
  world.line = 'network';
  pass(world, 120);
  world.line = 'up';
  player.hurry();
  assert.ok(pass(world, 2) < 1000);
});

scene('a press before the engine is there: the element is unlocked in it, sound begins with the engine', () => {
  const world = new World();
  const player = openEarly(world);
  player.toggle();
  assert.equal(world.audio.paused, false, 'told to play in the press itself');
  assert.equal(world.phase, 'starting');
  pass(world, 4);
  assert.equal(world.phase, 'starting');
  assert.deepEqual(world.attempts, []);
  equip(player, world);
  assert.deepEqual(world.attempts, [4000], 'at once');
  pass(world, 1);
  assert.equal(world.phase, 'playing');
  assert.deepEqual(world.attempts, [4000], 'and once');
});

scene('a second press before the engine is there takes the first back', () => {
  const world = new World();
  const player = openEarly(world);
  player.toggle();
  player.toggle();
  assert.equal(world.phase, 'idle');
  assert.equal(world.audio.paused, true);
  equip(player, world);
  pass(world, 10);
  assert.equal(world.phase, 'idle');
  assert.deepEqual(world.attempts, []);
});

scene('the engine takes long: the line is said to be bad, the press still counts', () => {
  const world = new World();
  const player = openEarly(world);
  player.play();
  pass(world, 60);
  assert.equal(world.phase, 'reconnecting');
  player.dispatch({ type: 'engine', engine: 'late' });
  assert.equal(world.phase, 'loading');
  equip(player, world);
  pass(world, 1);
  assert.equal(world.phase, 'playing');
  assert.equal(world.attempts.length, 1);
});

scene('a press that the browser blocks before the engine is there is just the button', async () => {
  const world = new World(true);
  const player = openEarly(world);
  player.play();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(world.phase, 'idle');
  equip(player, world);
  assert.deepEqual(world.attempts, []);
});

scene('where nothing can play a press is not kept', () => {
  const world = new World();
  const player = openEarly(world);
  player.play();
  player.equip(null);
  assert.equal(world.phase, 'unsupported');
  assert.equal(world.state?.wanted, false);
  player.play();
  assert.equal(world.state?.wanted, false);
});

scene('a host that does not answer is left at once for the next one', () => {
  const world = new World();
  world.hosts = [['index.m3u8'], ['https://b.example/talk/index.m3u8'], ['https://c.example/talk/index.m3u8']];
  world.reach = (source) => source.startsWith('https://c.');
  const player = open(world);
  player.play();
  const silent = pass(world, 5);
  assert.deepEqual(world.sources, ['index.m3u8', 'https://b.example/talk/index.m3u8', 'https://c.example/talk/index.m3u8']);
  assert.ok(silent <= 1000, `${silent} ms of silence`);
});

scene('a host that goes away later is left as well', () => {
  const world = new World();
  world.hosts = [['index.m3u8'], ['https://b.example/talk/index.m3u8']];
  const player = open(world);
  player.play();
  pass(world, 5);
  world.reach = (source) => source.startsWith('https://b.');
  const silent = pass(world, 10);
  assert.equal(world.sources.at(-1), 'https://b.example/talk/index.m3u8');
  assert.ok(world.retries > 5, 'at first it may only start again');
  assert.ok(silent <= 2500, `${silent} ms of silence`);
});

scene('when no host answers the player rests between its attempts', () => {
  const world = new World();
  world.hosts = [['index.m3u8'], ['https://b.example/talk/index.m3u8']];
  world.reach = () => false;
  const player = open(world);
  player.play();
  pass(world, 60);
  assert.ok(world.attempts.length < 30, `${world.attempts.length} attempts in a minute`);
  world.reach = () => true;
  pass(world, 15);
  assert.equal(world.phase, 'playing');
});

scene('who is offline looks for no other host', () => {
  const world = new World();
  world.hosts = [['index.m3u8'], ['https://b.example/talk/index.m3u8']];
  const player = open(world);
  player.play();
  pass(world, 5);
  player.dispatch({ type: 'network', online: false });
  world.reach = () => false;
  pass(world, 30);
  assert.deepEqual([...new Set(world.sources)], ['index.m3u8']);
});

scene('who would rather be late begins a session that is', () => {
  const world = new World();
  const player = open(world);
  player.play();
  pass(world, 5);
  player.choose(true);
  player.choose(true);
  assert.deepEqual(world.reliable, [false, true]);
});

scene('on a backup way the listener is told, and told when it is over', () => {
  const world = new World();
  open(world).play();
  pass(world, 5);
  assert.equal(world.state?.way, 'usual');
  world.backup = true;
  world.latency = 7;
  pass(world, 1);
  assert.equal(world.phase, 'fallback');
  world.backup = false;
  pass(world, 1);
  assert.equal(world.phase, 'playing');
  assert.equal(world.state?.way, 'returned');
  pass(world, 20);
  assert.equal(world.state?.way, 'usual');
  assert.equal(world.jumps, 0);
});

scene('who is too near for a store goes back a little when the sound in hand is out, once', () => {
  const world = new World();
  open(world).play();
  pass(world, 5);
  world.backup = true;
  pass(world, 2);
  assert.equal(world.jumps, 0, 'there is sound in hand');
  world.line = 'hung';
  pass(world, 2);
  assert.equal(world.jumps, 1);
});

scene('what was heard already is not begun with again', () => {
  const world = new World();
  open(world).play();
  pass(world, 5);
  world.line = 'media';
  const edge = world.edge;
  pass(world, 10);
  assert.deepEqual(world.stale.slice(0, 2), [null, edge]);
});

scene('who knows quick pathways asks every attempt for them', () => {
  const world = new World();
  world.hosts = [['index.m3u8'], ['https://b.example/talk/index.m3u8']];
  const player = open(world);
  player.play();
  pass(world, 5);
  world.line = 'network';
  pass(world, 10);
  assert.deepEqual(world.known[0], { hosts: ['https://b.example/talk/'], wasQuick: false });
  assert.deepEqual(world.known.at(-1), { hosts: ['https://b.example/talk/'], wasQuick: true });
});
