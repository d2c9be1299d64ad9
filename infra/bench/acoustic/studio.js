// Runs in a studio page behind bursts.js and before the page's own scripts: tells
// window.longwaveTap when a burst enters the microphone, and through tap.js when one
// comes out of the return.
(() => {
  globalThis.longwaveStudio = true;

  // Microphone: each piece of sound says when it was captured, by the page's clock.
  async function follow(track) {
    const pieces = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let [bursts, frame, began] = [null, 0, 0];
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) return;
      const { sampleRate, numberOfFrames, timestamp } = value;
      bursts ??= new longwaveBursts(sampleRate, (tone, at) => {
        const when = performance.timeOrigin + began + (1000 * (at - frame)) / sampleRate;
        window.longwaveTap({ type: 'mouth', tone, at: when, told: Date.now() });
      });
      const x = new Float32Array(numberOfFrames);
      value.copyTo(x, { planeIndex: 0, format: 'f32-planar' });
      value.close();
      began = timestamp / 1000;
      bursts.take(x, frame);
      frame += numberOfFrames;
    }
  }

  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  const tell = (e) => window.longwaveTap({ type: 'error', text: String(e) });
  devices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    for (const track of stream.getAudioTracks()) follow(track.clone()).catch(tell);
    return stream;
  };

  window.longwavePeers = [];
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) {
      super(...args);
      window.longwavePeers.push(this);
      this.addEventListener('track', ({ track }) => {
        longwaveEar((context) => context.createMediaStreamSource(new MediaStream([track])), false).catch(tell);
      });
    }
  };
})();
