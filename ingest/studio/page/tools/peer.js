// Put into the page before its own scripts: the media's other end. A POST to /whip or
// /whep goes to the fake server as it is; when that answers 201 with an empty body, a
// second peer connection inside the page answers the offer. So the page's own WebRTC
// code runs, with real packets, against a peer that a test can end.
(() => {
  const ask = window.fetch;
  const peers = { whip: [], whep: [] };
  window.asks = 0;
  const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (open) navigator.mediaDevices.getUserMedia = (c) => (window.asks++, open(c));
  window.peers = peers;

  /** Ends what the server's side has of a kind, as a server that says farewell. */
  window.hangUp = (kind) => peers[kind].splice(0).forEach((pc) => pc.close());

  /** Something to hear: a quiet tone. */
  function tone() {
    const context = new AudioContext();
    const [oscillator, gain] = [new OscillatorNode(context, { frequency: 440 }), new GainNode(context, { gain: 0.05 })];
    const out = context.createMediaStreamDestination();
    oscillator.connect(gain).connect(out);
    oscillator.start();
    return out.stream;
  }

  async function answer(kind, offer, url) {
    const pc = Object.assign(new RTCPeerConnection(), { at: url });
    peers[kind].push(pc);
    await pc.setRemoteDescription({ type: 'offer', sdp: offer });
    if (kind === 'whep') {
      const stream = tone();
      pc.addTrack(stream.getTracks()[0], stream);
    }
    await pc.setLocalDescription();
    while (pc.iceGatheringState !== 'complete') await new Promise((r) => setTimeout(r, 20));
    return pc.localDescription.sdp;
  }

  window.fetch = async (input, init = {}) => {
    const url = String(input);
    const kind = /\/(whip|whep)\/[^/]+$/.exec(url)?.[1];
    const got = await ask(input, init);
    if (!kind || init.method !== 'POST' || got.status !== 201) return got;
    const sdp = await answer(kind, init.body, url);
    return new Response(sdp, { status: 201, headers: { 'Content-Type': 'application/sdp', Location: got.headers.get('Location') } });
  };
})();
