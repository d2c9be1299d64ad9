// The microphone: asks for it, measures it, keeps it when it is unplugged, and says in
// keys of words what is wrong.
import type { Key } from './i18n';

export type MicTrouble = Extract<Key, `mic_${string}`>;

/** What a failed getUserMedia means. */
export function micTrouble(error: unknown): MicTrouble {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'mic_denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'mic_none';
    case 'NotReadableError':
    case 'AbortError':
      return 'mic_busy';
    default:
      return 'mic_failed';
  }
}

/** What is asked of the browser: a voice is worked on, music is left as it is. */
export function constraints(device: string, music: boolean): MediaStreamConstraints {
  const work = !music;
  return {
    video: false,
    audio: {
      ...(device ? { deviceId: { exact: device } } : {}),
      echoCancellation: work,
      noiseSuppression: work,
      autoGainControl: work,
      channelCount: { ideal: music ? 2 : 1 },
      sampleRate: { ideal: 48_000 },
    },
  };
}

/** A level in dB full scale. */
export interface Level {
  rms: number;
  peak: number;
}

export const silent: Level = { rms: -Infinity, peak: -Infinity };

/** Measures samples in -1 to 1. */
export function measure(samples: Float32Array): Level {
  let [sum, peak] = [0, 0];
  for (const x of samples) {
    sum += x * x;
    peak = Math.max(peak, Math.abs(x));
  }
  const db = (x: number): number => 20 * Math.log10(x);
  return { rms: db(Math.sqrt(sum / Math.max(1, samples.length))), peak: db(peak) };
}

export type Advice = 'level_wait' | 'level_silent' | 'level_quiet' | 'level_good' | 'level_loud';

/** What to say of the peaks of the last seconds, one each 100 ms, oldest first. */
export function advise(peaks: readonly number[]): Advice {
  const recent = peaks.slice(-50);
  const top = Math.max(-Infinity, ...recent);
  if (top >= -0.2) return 'level_loud'; // the browser's own gain control goes up to -1
  if (top >= -30) return 'level_good';
  if (recent.length < 30) return 'level_wait';
  return top < -65 ? 'level_silent' : 'level_quiet';
}

export class Microphone {
  trouble: MicTrouble | null = null;
  devices: MediaDeviceInfo[] = [];
  device = ''; // the wanted one; empty: the system's choice
  peaks: number[] = [];
  /** The track to send: it can be silenced while the meter still shows what comes in. */
  track: MediaStreamTrack | null = null;
  private source: MediaStreamTrack | null = null;
  private context: AudioContext | null = null;
  private node: MediaStreamAudioSourceNode | null = null;
  private analyser: AnalyserNode | null = null;
  private samples = new Float32Array(4096); // 85 ms at 48 kHz
  private music = false;
  private muted = false;
  private turn = 0; // counts openings, so that a late answer of an old one is thrown away

  /** changed: devices, trouble or track are others; unplugged: a new track took over, or none. */
  constructor(
    private readonly changed: () => void,
    private readonly unplugged: (label: string | null) => void,
  ) {
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.plugged());
  }

  get label(): string {
    return this.source?.label ?? '';
  }

  get open(): boolean {
    return this.source !== null;
  }

  /** Whether the browser would open it without asking. */
  static async allowed(): Promise<boolean> {
    const answer = await navigator.permissions?.query({ name: 'microphone' as PermissionName }).catch(() => null);
    return answer?.state === 'granted';
  }

  /** Opens a microphone, the system's choice when device is empty or not there any more. */
  async start(device: string, music: boolean): Promise<boolean> {
    const turn = ++this.turn;
    this.device = device;
    this.music = music;
    if (!navigator.mediaDevices) return this.fail(window.isSecureContext ? 'mic_unsupported' : 'mic_insecure');
    try {
      this.release(); // some systems open a device only once
      const stream = await this.ask(device, music);
      if (turn !== this.turn) {
        stream.getTracks().forEach((t) => t.stop());
        return false;
      }
      this.take(stream);
      await this.list();
      this.trouble = null;
      this.changed();
      return true;
    } catch (error) {
      if (turn !== this.turn) return false;
      return this.fail(micTrouble(error));
    }
  }

  private async ask(device: string, music: boolean): Promise<MediaStream> {
    try {
      return await navigator.mediaDevices.getUserMedia(constraints(device, music));
    } catch (error) {
      if (!device || micTrouble(error) !== 'mic_none') throw error;
      this.device = '';
      return navigator.mediaDevices.getUserMedia(constraints('', music));
    }
  }

  private fail(trouble: MicTrouble): boolean {
    this.trouble = trouble;
    void this.list().finally(this.changed);
    return false;
  }

  private take(stream: MediaStream): void {
    const source = stream.getAudioTracks()[0]!;
    this.source = source;
    this.track = source.clone();
    this.track.contentHint = this.music ? 'music' : 'speech';
    this.track.enabled = !this.muted;
    source.addEventListener('ended', () => void this.gone(source));
    this.device = source.getSettings().deviceId ?? this.device;
    this.peaks = [];
    this.context ??= new AudioContext({ latencyHint: 'interactive' });
    this.analyser ??= new AnalyserNode(this.context, { fftSize: this.samples.length });
    this.node = this.context.createMediaStreamSource(stream);
    this.node.connect(this.analyser);
    this.wake();
  }

  /** A level meter that a phone or a sleeping tab has stopped goes on. */
  wake(): void {
    if (this.context && this.context.state !== 'running') this.context.resume().catch(() => undefined);
  }

  private async gone(source: MediaStreamTrack): Promise<void> {
    if (this.source !== source) return;
    const back = await this.start('', this.music);
    this.unplugged(back ? this.label : null);
  }

  private async plugged(): Promise<void> {
    await this.list();
    this.changed();
    if (this.trouble === 'mic_none' && this.devices.length > 0) {
      if (await this.start('', this.music)) this.unplugged(this.label);
    }
  }

  private async list(): Promise<void> {
    const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []);
    this.devices = (all ?? []).filter((d) => d.kind === 'audioinput' && d.deviceId !== '');
  }

  mute(on: boolean): void {
    this.muted = on;
    if (this.track) this.track.enabled = !on;
  }

  /** The level now. Where nothing runs (Firefox without a loudspeaker) nothing is known, which is not silence. */
  level(): Level {
    if (!this.analyser || !this.source || this.context?.state !== 'running') return silent;
    this.analyser.getFloatTimeDomainData(this.samples);
    const level = measure(this.samples);
    this.peaks.push(level.peak);
    if (this.peaks.length > 50) this.peaks.shift();
    return level;
  }

  private release(): void {
    this.node?.disconnect();
    this.track?.stop();
    this.source?.stop(); // does not fire "ended": only the system's own ends do
    this.node = this.track = this.source = null;
  }

  /** Lets go of the device: the browser's recording sign goes out. */
  stop(): void {
    this.turn++;
    this.release();
    this.changed();
  }
}
