// hls.js for a page of your own, so that it gets over a CDN that fails. Give it hls.js, an
// audio element and the addresses of a station's index.m3u8, the best one first: on a CDN,
// and in the bucket for when no origin is left.
//
// As it comes hls.js asks a CDN that fails again and again before it takes the next one,
// waits long for one that never answers, and ends for good when it has tried everything.
// With this it asks twice and waits a second and a half; and it begins anew, with the next
// address, where it would end or where nothing has been heard for a while. A pause is the
// end: call stop() then, and begin again at the live edge.

/** Of a request: so long until the first byte, and one more try. */
const policy = {
  default: {
    maxTimeToFirstByteMs: 1500,
    maxLoadTimeMs: 8000,
    timeoutRetry: null,
    errorRetry: { maxNumRetry: 1, retryDelayMs: 100, maxRetryDelayMs: 100 },
  },
};

const settings = {
  manifestLoadPolicy: policy,
  playlistLoadPolicy: policy,
  fragLoadPolicy: policy,
  maxLiveSyncPlaybackRate: 1.05,
};

/** It begins anew after so long a silence, and after so long when hls.js has given up. */
const SILENT_MS = 4000;
const GAVE_UP_MS = 700;

export function playForEver(Hls, audio, urls) {
  let hls;
  let again;
  let turn = 0;
  const rest = (ms) => {
    clearTimeout(again);
    again = setTimeout(begin, ms);
  };
  function begin() {
    hls?.destroy();
    hls = new Hls(settings);
    hls.on(Hls.Events.ERROR, (_, { fatal }) => fatal && rest(GAVE_UP_MS));
    hls.loadSource(urls[turn++ % urls.length]);
    hls.attachMedia(audio);
    audio.play().catch(() => {}); // a pause
    rest(SILENT_MS);
  }
  const heard = () => {
    turn = 0;
    rest(SILENT_MS);
  };
  audio.addEventListener('timeupdate', heard);
  begin();
  return {
    stop() {
      audio.removeEventListener('timeupdate', heard);
      clearTimeout(again);
      hls.destroy();
    },
  };
}
