// Reading small things beside what is played.
const LIMIT_MS = 3000;

/** Asks for an address; null when that does not succeed, or not in time. */
export async function read(url: string): Promise<Response | null> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), LIMIT_MS);
  try {
    const answer = await fetch(url, { credentials: 'omit', signal: abort.signal });
    if (!answer.ok) return null;
    const body = await answer.arrayBuffer();
    return new Response(body);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
