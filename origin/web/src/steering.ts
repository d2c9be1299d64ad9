// Follows the steering manifest (HLS Content Steering Specification): which pathways to take,
// the best one first. It is asked for on every pathway until one answers; when none does,
// the last list stays.
import { read } from './read';
import type { Ways } from './ways';

const DEFAULT_TTL_S = 10;
const LEAST_TTL_S = 5;

export class Steering {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  constructor(
    private readonly ways: Ways,
    private readonly uri: string,
  ) {
    if (uri) void this.follow();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async follow(): Promise<void> {
    const ttl = await this.look();
    if (this.stopped) return;
    // Spread, so that listeners do not ask all at once.
    this.timer = setTimeout(() => void this.follow(), 1000 * ttl * (0.9 + 0.2 * Math.random()));
  }

  private async look(): Promise<number> {
    const file = this.uri.slice(this.uri.lastIndexOf('/') + 1);
    for (const at of new Set([this.uri, ...this.ways.beside(file, performance.now())])) {
      const said = await ask(at);
      if (said === null) continue;
      this.ways.steer(said.priority);
      return said.ttl;
    }
    return DEFAULT_TTL_S;
  }
}

async function ask(at: string): Promise<Said | null> {
  const answer = await read(at);
  return answer && parse(await answer.json().catch(() => null));
}

interface Said {
  readonly ttl: number;
  readonly priority: string[];
}

/** Reads a steering manifest; null when it is none. */
export function parse(manifest: unknown): Said | null {
  if (typeof manifest !== 'object' || manifest === null) return null;
  const { VERSION, TTL, 'PATHWAY-PRIORITY': list } = manifest as Record<string, unknown>;
  if (VERSION !== 1 || !Array.isArray(list) || !list.every((id) => typeof id === 'string') || list.length === 0) return null;
  return { ttl: typeof TTL === 'number' && TTL > 0 ? Math.max(LEAST_TTL_S, TTL) : DEFAULT_TTL_S, priority: list };
}
