// Playing by the browser itself, where there is no Media Source Extensions: old
// iPhones. It tells neither latency nor edge, so the player only watches whether
// sound advances.
import { nothing } from './marks';
import { bufferAhead, type Attempt, type Session, type Status } from './session';

export function playNative({ audio, source, hooks }: Attempt): Session {
  const listeners = new AbortController();
  const { signal } = listeners;
  audio.addEventListener('loadedmetadata', () => hooks.found(), { signal });
  audio.addEventListener('timeupdate', () => hooks.moved(), { signal });
  audio.addEventListener('ended', () => hooks.ended(), { signal });
  audio.addEventListener('error', () => hooks.failed('network'), { signal });
  const load = (): void => {
    audio.src = source;
    audio.load();
  };
  load();

  const status = (): Status => ({
    latency: null,
    target: 0,
    buffer: bufferAhead(audio),
    part: 0,
    backup: false,
    quick: false,
    edge: null,
    bitrate: 0,
    now: nothing,
  });
  const stop = (): void => {
    listeners.abort();
    audio.removeAttribute('src');
    audio.load();
  };
  return { status, jump: load, retry: load, stop };
}
