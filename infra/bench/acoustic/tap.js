// Runs in the page under test behind bursts.js and before the page's own scripts, and
// changes nothing in it: it listens at the audio element and hands what it hears to
// window.longwaveTap. meter.mjs puts it there.
(() => {
  // In the audio thread: 128 samples at a time.
  const worklet = `
    const Bursts = ${longwaveBursts};
    const SILENT = 0.01;
    class Ear extends AudioWorkletProcessor {
      constructor() {
        super();
        this.bursts = new Bursts(sampleRate, (tone, frame) => this.port.postMessage({ type: 'tone', tone, frame }));
        this.heard = false;
      }
      process([input]) {
        const x = input[0];
        const rms = x ? Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length) : 0;
        this.loudness(rms >= SILENT);
        if (x) this.bursts.take(x, currentFrame);
        return true;
      }
      loudness(sound) {
        if (sound === this.heard) return;
        this.port.postMessage({ type: sound ? 'sound' : 'silence', frame: currentFrame });
        this.heard = sound;
      }
    }
    registerProcessor('ear', Ear);`;

  /** Listens at the node that source makes in a context. audible: it has to reach the output by us. */
  globalThis.longwaveEar = async (source, audible) => {
    const context = new AudioContext({ sampleRate: 48000, latencyHint: 'interactive' });
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' })));
    const ear = new AudioWorkletNode(context, 'ear', { numberOfInputs: 1, numberOfOutputs: 0 });
    const node = source(context);
    if (audible) node.connect(context.destination);
    node.connect(ear);
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
  };

  const trouble = (e) => window.longwaveTap({ type: 'error', text: String(e) });
  if (globalThis.longwaveStudio) return; // studio.js says where to listen
  addEventListener('longwave:state', ({ detail }) => {
    window.longwaveEngine = detail.engine;
    window.longwaveTap({ type: 'state', at: Date.now(), detail });
  });
  addEventListener('DOMContentLoaded', () => {
    const audio = document.querySelector('audio');
    if (audio) longwaveEar((context) => context.createMediaElementSource(audio), true).catch(trouble);
    else trouble('the page has no audio element');
  });
})();
