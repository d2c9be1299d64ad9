// Sound for a browser that has none of its own to pretend with: Firefox wants a real
// sound server, without one its AudioContext never runs. So each gets a PulseAudio of its
// own, with an ear nobody listens at and a microphone that somebody speaks into.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const format = ['--rate=48000', '--channels=2', '--format=s16le', '--raw'];

const modules = (socket) => [
  `module-native-protocol-unix socket=${socket} auth-anonymous=1`,
  'module-null-sink sink_name=ear rate=48000',
  'module-null-sink sink_name=mouth rate=48000',
  // A monitor is no microphone to a browser, what is made from one is.
  'module-remap-source master=mouth.monitor source_name=microphone source_properties=device.description=Microphone',
];

async function until(test, what) {
  for (let i = 0; i < 300; i++) {
    if (await test()) return;
    await sleep(50);
  }
  throw new Error(`never: ${what}`);
}

const ended = (child) => child.exitCode !== null || child.signalCode !== null;

const succeeds = (command, args, env) =>
  new Promise((resolve) => spawn(command, args, { env, stdio: 'ignore' }).once('error', () => resolve(false)).once('exit', (code) => resolve(code === 0)));

/** The same samples for ever. */
function* again(pcm) {
  for (;;) yield pcm;
}

/**
 * Starts a sound server whose microphone hears pcm (48 kHz, stereo, s16le) again and
 * again. Returns the environment for its browser and how to end it.
 */
export async function sound(pcm) {
  const home = await mkdtemp(join(tmpdir(), 'longwave-sound-'));
  const socket = join(home, 'native');
  const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, PULSE_RUNTIME_PATH: home, PULSE_SERVER: `unix:${socket}` };
  const args = ['-n', '--daemonize=no', '--exit-idle-time=-1', '--use-pid-file=no', '--disable-shm=yes', '--log-level=error'];
  const children = [];
  const run = (command, args, stdin) => {
    const child = spawn(command, args, { env, stdio: [stdin, 'ignore', 'ignore'] });
    child.on('error', () => {}); // is told by until
    children.push(child);
    return child;
  };
  const kill = () => children.forEach((child) => child.kill('SIGKILL'));
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    kill();
    await until(() => children.every((c) => ended(c) || c.pid === undefined), 'the sound server ends');
    await rm(home, { recursive: true, force: true });
  };
  try {
    const server = run('pulseaudio', [...args, ...modules(socket).flatMap((m) => ['-L', m])], 'ignore');
    await until(() => ended(server) || succeeds('pactl', ['set-default-source', 'microphone'], env), 'PulseAudio answers');
    if (ended(server) || !(await succeeds('pactl', ['set-default-sink', 'ear'], env))) throw new Error('PulseAudio does not run');
    const voice = run('pacat', ['--playback', '--device=mouth', '--latency-msec=100', ...format], 'pipe');
    voice.stdin.on('error', () => {}); // it was ended
    Readable.from(again(pcm)).pipe(voice.stdin);
  } catch (error) {
    await stop();
    throw error;
  }
  return { env: { PULSE_SERVER: env.PULSE_SERVER }, stop };
}
