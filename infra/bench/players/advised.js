// hls.js for a page of your own, so that it gets over a CDN that fails. Given an audio
// element and the address of a station's index.m3u8 it plays until stop() is called.
//
// As it comes hls.js asks a CDN that fails again for many seconds before it takes the next
// one, waits for one that never answers, and ends for good when it has tried everything.
// This asks twice, waits a second and a half, and begins anew where hls.js would end or
// where nothing has been heard for a while.

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
  liveSyncOnStallIncrease: 0,
  maxLiveSyncPlaybackRate: 1.05,
};

/** Silence after which it begins anew, and the time between two beginnings. */
const SILENCE_MS = 4000;
const PAUSE_MS = 1000;

export function playForEver(Hls, audio, url) {
  let hls;
  let moved = Date.now();
  const begin = () => {
    hls?.destroy();
    moved = Date.now();
    hls = new Hls(settings);
    hls.on(Hls.Events.ERROR, (_, { fatal }) => fatal && (moved = Math.min(moved, Date.now() - SILENCE_MS + PAUSE_MS)));
    hls.loadSource(url);
    hls.attachMedia(audio);
    audio.play().catch(() => {});
  };
  audio.addEventListener('timeupdate', () => (moved = Date.now()));
  const watch = setInterval(() => Date.now() - moved > SILENCE_MS && begin(), 250);
  begin();
  return {
    stop() {
      clearInterval(watch);
      hls.destroy();
    },
  };
}
