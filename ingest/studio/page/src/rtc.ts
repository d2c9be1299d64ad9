// WHIP (RFC 9725) for the own voice and WHEP for what others say: one POST with the
// whole offer, one answer with the server's whole list of addresses.
import { Problem, refusal } from './api';
import type { End } from './line';

export interface Way {
  url: string;
  headers: Record<string, string>;
  ice: RTCIceServer[];
  signal: AbortSignal;
  up: () => void;
}

/** How long to wait for own addresses, for a connection, after a break, and for a goodbye, in ms. */
const gathering = 1000;
const connecting = 10_000;
const breaking = 3000;
const parting = 2000;

/** Opus twice over (RFC 2198) first, where the browser can: a lost packet is in the next one. */
export function prefer(codecs: readonly RTCRtpCodec[]): RTCRtpCodec[] {
  const is = (name: string) => (c: RTCRtpCodec) => c.mimeType.toLowerCase() === name;
  return [...codecs.filter(is('audio/red')), ...codecs.filter(is('audio/opus'))];
}

/** Sends a track until the session ends. sender is told so that the track can be exchanged. */
export function publish(way: Way, track: MediaStreamTrack, sender: (s: RTCRtpSender) => void): Promise<End> {
  return session(way, (pc) => {
    const transceiver = pc.addTransceiver(track, { direction: 'sendonly', streams: [new MediaStream([track])] });
    // Chromium sends no gaps in silence (DTX) unless asked to: it is not asked to.
    const codecs = prefer(RTCRtpSender.getCapabilities('audio')?.codecs ?? []);
    if (codecs.length > 0) transceiver.setCodecPreferences(codecs);
    sender(transceiver.sender);
  });
}

/** Plays what the server sends until the session ends. */
export function receive(way: Way, play: (stream: MediaStream, receiver: RTCRtpReceiver) => void): Promise<End> {
  return session(way, (pc) => {
    pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.addEventListener('track', (e) => play(e.streams[0] ?? new MediaStream([e.track]), e.receiver));
  });
}

async function session(way: Way, equip: (pc: RTCPeerConnection) => void): Promise<End> {
  const pc = new RTCPeerConnection({ iceServers: way.ice });
  let resource: string | null = null;
  try {
    equip(pc);
    await pc.setLocalDescription();
    await gathered(pc, way.signal);
    resource = await exchange(pc, way);
    await connected(pc, way.signal);
    way.up();
    const end = await broken(pc, way.signal);
    if (!way.signal.aborted) resource = null; // the server ended it, or cannot be reached
    return end;
  } catch (error) {
    return judge(error);
  } finally {
    // The goodbye first: to a closed connection the server has said its own, and there is nothing left to delete.
    if (resource) void goodbye(resource, way.headers).finally(() => pc.close());
    else pc.close();
  }
}

/** Ends a session at the server. It may be the page's last deed. */
async function goodbye(resource: string, headers: Record<string, string>): Promise<void> {
  const said = fetch(resource, { method: 'DELETE', headers, keepalive: true, signal: AbortSignal.timeout(parting) });
  await said.catch(() => undefined);
}

/** What an error means for trying again. */
export function judge(error: unknown): End {
  if (!(error instanceof Problem)) return { again: true, reason: 'unreachable' };
  const refused = refusal(error);
  if (refused) return { again: false, reason: refused };
  const busy = error.status === 503 || error.status === 429;
  if (busy) return { again: true, reason: 'full', after: error.retryAfter ?? 5 };
  if (error.status >= 500 || error.status === 409) return { again: true, reason: 'unreachable' };
  return { again: false, reason: 'unfit' };
}

async function exchange(pc: RTCPeerConnection, way: Way): Promise<string | null> {
  const answer = await fetch(way.url, {
    method: 'POST',
    headers: { ...way.headers, 'Content-Type': 'application/sdp' },
    body: pc.localDescription?.sdp ?? '',
    signal: AbortSignal.any([way.signal, AbortSignal.timeout(connecting)]),
    cache: 'no-store',
  });
  if (answer.status !== 201) throw await Problem.of(answer);
  const location = answer.headers.get('Location');
  await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  return location && new URL(location, answer.url || way.url).href;
}

/** Resolves when test holds, at one of the events; rejects after the limit or when the signal ends it. */
function until(target: EventTarget, event: string, test: () => boolean, limit: { ms: number; signal: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = AbortSignal.any([limit.signal, AbortSignal.timeout(limit.ms)]);
    const look = (): void => {
      try {
        if (test()) done(resolve);
      } catch (error) {
        done(() => reject(error));
      }
    };
    const leave = (): void => done(() => reject(stop.reason));
    const done = (deed: () => void): void => {
      target.removeEventListener(event, look);
      stop.removeEventListener('abort', leave);
      deed();
    };
    target.addEventListener(event, look);
    stop.addEventListener('abort', leave);
    if (stop.aborted) leave();
    else look();
  });
}

/** All own addresses, or those that were found in a second. */
async function gathered(pc: RTCPeerConnection, signal: AbortSignal): Promise<void> {
  const all = until(pc, 'icegatheringstatechange', () => pc.iceGatheringState === 'complete', { ms: gathering, signal });
  await all.catch(() => signal.throwIfAborted());
}

function connected(pc: RTCPeerConnection, signal: AbortSignal): Promise<void> {
  const there = (): boolean => {
    if (pc.connectionState === 'failed' || pc.connectionState === 'closed') throw new Error('no connection');
    return pc.connectionState === 'connected';
  };
  return until(pc, 'connectionstatechange', there, { ms: connecting, signal });
}

/** Resolves when the connection is lost, or the signal ends it. */
function broken(pc: RTCPeerConnection, signal: AbortSignal): Promise<End> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const lost = (): void => {
      clearTimeout(timer);
      resolve({ again: true, reason: 'lost' });
    };
    const transport = pc.getSenders()[0]?.transport ?? pc.getReceivers()[0]?.transport;
    const look = (): void => {
      // The server's farewell closes the transport long before the state says so.
      const gone = ['failed', 'closed'];
      if (gone.includes(pc.connectionState) || gone.includes(transport?.state ?? '')) lost();
      else if (pc.connectionState !== 'disconnected') clearTimeout(timer);
      else timer = setTimeout(lost, breaking);
    };
    pc.addEventListener('connectionstatechange', look);
    transport?.addEventListener('statechange', look);
    signal.addEventListener('abort', lost);
    if (signal.aborted) lost();
    look();
  });
}
