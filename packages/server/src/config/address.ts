import { defaultHost, defaultPorts, type KnownProtocol } from './protocols.js';

/** Where to listen. */
export interface ListenAddress {
  /** Null: all interfaces. IPv6 without brackets. */
  readonly host: string | null;
  /** 0: any free port. */
  readonly port: number;
}

/**
 * Reads `HOST:PORT`, `[IPv6]:PORT`, `*:PORT`, `:PORT`, `PORT` or `HOST`; what is left out is the protocol's default.
 * Returns a text that says what is wrong otherwise.
 */
export function parseAddress(protocol: KnownProtocol, text: string | number): ListenAddress | string {
  const parts = splitAddress(String(text).trim());
  if (parts === null) return `'${text}' is not an address`;
  const { host, port } = parts;
  const fallback = defaultPorts[protocol];
  if (port === '' && fallback === null) return `'${text}' names no port, and ${protocol} has no default port`;
  const number = port === '' ? (fallback ?? 0) : Number(port);
  if (number > 65535) return `port ${port} is above 65535`;
  if (host === '*') return { host: null, port: number };
  return { host: host === '' ? defaultHost(protocol) : host, port: number };
}

/** What `parseAddress` takes, for error texts and the documentation. */
export const addressForms = 'HOST:PORT, [IPv6]:PORT, *:PORT (all interfaces), PORT, or off; port 0 picks a free one';

function splitAddress(text: string): { host: string; port: string } | null {
  if (/^\d{1,5}$/.test(text)) return { host: '', port: text };
  const bracketed = /^\[([0-9a-fA-F:.%a-z]+)\](?::(\d{1,5}))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? '', port: bracketed[2] ?? '' };
  const plain = /^(\*|[A-Za-z0-9._-]*)(?::(\d{1,5}))?$/.exec(text);
  return plain === null ? null : { host: plain[1] ?? '', port: plain[2] ?? '' };
}

/** The inverse: `*:5672`, `127.0.0.1:5672`, `[::1]:5672`. */
export function formatAddress(address: ListenAddress): string {
  if (address.host === null) return `*:${address.port}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
