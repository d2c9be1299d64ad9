// Runs in the page under test, before its own scripts, and changes nothing in it:
// it listens at the audio element and hands what it hears to window.longwaveTap.
// meter.mjs puts it there.
(() => {
  const tones = [2000, 2600, 3400, 4400, 5800]; // as in bursts/main.go

  // In the audio thread: 128 samples at a time.
  const worklet = `
    const tones = ${JSON.stringify(tones)};
    const SILENT = 0.01, ONSET = 0.4, WINDOW = 256;
    class Ear extends AudioWorkletProcessor {
      constructor() {
        super();
        this.window = new Float32Array(WINDOW);
        this.filled = 0;
        this.onset = -1;     // frame at which a burst began, while its tone is not known
        this.quietUntil = 0; // a burst is reported once
        this.heard = false;
      }
      process([input]) {
        const x = input[0];
        const rms = x ? Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length) : 0;
        this.loudness(rms >= SILENT);
        if (x) this.listen(x);
        return true;
      }
      loudness(sound) {
        if (sound === this.heard) return;
        this.port.postMessage({ type: sound ? 'sound' : 'silence', frame: currentFrame });
        this.heard = sound;
      }
      listen(x) {
        for (let i = 0; i < x.length; i++) {
          const frame = currentFrame + i;
          if (this.onset < 0) {
            if (Math.abs(x[i]) < ONSET || frame < this.quietUntil) continue;
            this.onset = frame;
            this.filled = 0;
          }
          this.window[this.filled++] = x[i];
          if (this.filled === WINDOW) this.name();
        }
      }
      name() {
        const power = tones.map((hz) => this.power(hz));
        const best = power.indexOf(Math.max(...power));
        if (power[best] > 0.5) {
          this.port.postMessage({ type: 'tone', tone: best, frame: this.onset });
          this.quietUntil = this.onset + sampleRate / 2;
        }
        this.onset = -1;
      }
      power(hz) { // Goertzel: the tone's share of the window's power
        const c = 2 * Math.cos(2 * Math.PI * hz / sampleRate);
        let a = 0, b = 0, sum = 0;
        for (const v of this.window) { [a, b] = [v + c * a - b, a]; sum += v * v; }
        return (a * a + b * b - c * a * b) / (sum * WINDOW / 2);
      }
    }
    registerProcessor('ear', Ear);`;

  async function attach(audio) {
    const context = new AudioContext({ sampleRate: 48000, latencyHint: 'interactive' });
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' })));
    const ear = new AudioWorkletNode(context, 'ear', { numberOfInputs: 1, numberOfOutputs: 0 });
    const source = context.createMediaElementSource(audio);
    source.connect(context.destination);
    source.connect(ear);
    await context.resume();
    // The wall-clock time at which a frame leaves the output.
    const wall = (frame) => {
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      return performance.timeOrigin + performanceTime + 1000 * (frame / context.sampleRate - contextTime);
    };
    ear.port.onmessage = ({ data }) => {
      window.longwaveTap({ type: data.type, tone: data.tone, at: wall(data.frame) });
    };
    window.longwaveTap({ type: 'ready', outputLatency: context.outputLatency, baseLatency: context.baseLatency });
  }

  addEventListener('longwave:state', ({ detail }) => window.longwaveTap({ type: 'state', at: Date.now(), detail }));
  addEventListener('DOMContentLoaded', () => {
    const audio = document.querySelector('audio');
    if (audio) attach(audio).catch((e) => window.longwaveTap({ type: 'error', text: String(e) }));
    else window.longwaveTap({ type: 'error', text: 'the page has no audio element' });
  });
})();
