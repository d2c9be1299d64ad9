// Reads an event stream (WHATWG HTML section 9.2) from a fetch: EventSource cannot
// send the token in a header.

export interface StreamEvent {
  event: string;
  data: string;
  id: string | null; // null: the event carries none
}

/** Cuts text into events, whatever the pieces it comes in. */
export class EventParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private id: string | null = null;

  /** Takes a piece of text and returns the events that it completes. */
  push(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    let buffer = this.rest + text;
    // A CR at the end may be the first half of a CR LF.
    const held = buffer.endsWith('\r') ? '\r' : '';
    buffer = buffer.slice(0, buffer.length - held.length);
    const lines = buffer.split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? '') + held;
    for (const line of lines) {
      if (line === '') this.finish(events);
      else this.line(line);
    }
    return events;
  }

  private finish(events: StreamEvent[]): void {
    if (this.data.length > 0) events.push({ event: this.event || 'message', data: this.data.join('\n'), id: this.id });
    this.event = '';
    this.data = [];
    this.id = null;
  }

  private line(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment: the server's heartbeat
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.event = value;
    else if (name === 'data') this.data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.id = value;
  }
}

/** How long a stream may say nothing, in ms: the server's heartbeat comes every 15 s. */
export const silence = 40_000;

/** Reads a stream to its end. Throws when it is silent for too long. */
export async function read(body: ReadableStream<Uint8Array>, take: (e: StreamEvent) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await withLimit(reader.read());
      if (done) return;
      for (const event of parser.push(decoder.decode(value, { stream: true }))) take(event);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

async function withLimit<T>(reading: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the event stream is silent')), silence);
  });
  try {
    return await Promise.race([reading, limit]);
  } finally {
    clearTimeout(timer);
  }
}
