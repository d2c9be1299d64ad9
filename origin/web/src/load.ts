// Loading what the page cannot play without.
import { retryDelayMs } from './controller';

/**
 * Tries until it succeeds. Tells of each failure and then rests, as long as the
 * player does between its attempts: longer and longer, up to some seconds.
 */
export async function untilLoaded<T>(
  load: (tries: number) => Promise<T>,
  failed: () => void,
  rest: (ms: number) => Promise<unknown>,
): Promise<T> {
  let rested = 0;
  for (let tries = 0; ; tries++) {
    try {
      return await load(tries);
    } catch {
      failed(); // the browser's console says why
    }
    const ms = retryDelayMs(rested, Math.random());
    await rest(ms);
    rested += ms;
  }
}
