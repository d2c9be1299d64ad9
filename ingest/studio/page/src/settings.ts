// What an encoder needs to be told, as rows to copy. Pure.
import type { Key } from './i18n';

export interface Row {
  program: string; // RTMP, as its makers write it
  field: Extract<Key, `set_${string}`>;
  value: string;
}

const programs: Record<string, string> = { whip: 'WHIP', rtmp: 'RTMP', srt: 'SRT', icecast: 'Icecast' };

/** An address in the fields that programs of its kind ask for. */
function fields(kind: string, address: string, token: string): [Row['field'], string][] {
  if (kind === 'whip') return [['set_server', address], ['set_bearer', token]];
  const key = /^(rtmps?:\/\/.*)\/([^/]+)$/.exec(address);
  if (kind === 'rtmp' && key) return [['set_server', key[1]!], ['set_key', key[2]!]];
  const ice = /^\w+:\/\/([^:@/]+):([^@/]+)@([^:/]+)(?::(\d+))?(\/.*)$/.exec(address);
  if (kind === 'icecast' && ice) {
    const [, user, password, host, port, mount] = ice;
    return [['set_host', host!], ['set_port', port ?? '443'], ['set_mount', mount!], ['set_user', user!], ['set_password', password!]];
  }
  return [['set_address', address]];
}

/** The addresses of a node's ways in as they are at its twin. */
export function at(twin: string, push: Record<string, string> | undefined, own: string): Record<string, string> {
  const [there, here] = [new URL(twin), new URL(own)];
  const move = (address: string): string => {
    if (address.startsWith(own)) return twin + address.slice(own.length);
    return here.port && address.includes(here.host) ? address.replace(here.host, there.host) : address.replace(here.hostname, there.hostname);
  };
  return Object.fromEntries(Object.entries(push ?? {}).map(([kind, address]) => [kind, move(address)]));
}

/** The rows for every way in that the server has, the browser's own first. */
export function rows(push: Record<string, string> | undefined, token: string): Row[] {
  const order = Object.keys(programs);
  const kinds = Object.entries(push ?? {}).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  return kinds.flatMap(([kind, address]) => fields(kind, address, token).map(([field, value]) => ({ program: programs[kind] ?? kind, field, value })));
}
