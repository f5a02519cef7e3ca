// The keys of sessions in their log: a kind, the session's name, and of packet identifiers the identifier, with NUL between.

/**
 * `s`: its record; `i`: identifiers of QoS 2 that came; `o`: those that the client has received. In a cluster `w`: who has it; `d`: a will that
 * is due, until it was published; `m`: of no session, but of a process that brings those that its node kept while it was alone.
 */
export type KeyKind = 's' | 'i' | 'o' | 'w' | 'd' | 'm';

export interface SessionKey {
  readonly kind: KeyKind;
  /** Of the session; see `sessionName`. */
  readonly name: string;
  /** The packet identifier; 0: none. */
  readonly id: number;
  /** The will's; empty: it is none. */
  readonly will: string;
}

/** `vhost NUL client`; neither has a NUL. */
export function sessionName(vhost: string, clientId: string): string {
  return `${vhost}\0${clientId}`;
}

export function partsOfName(name: string): readonly [vhost: string, clientId: string] {
  const at = name.indexOf('\0');
  return [name.slice(0, at), name.slice(at + 1)];
}

export function sessionKey(kind: 's' | 'w', name: string): string {
  return `${kind}\0${name}`;
}

export function idKey(kind: 'i' | 'o', name: string, id: number): string {
  return `${kind}\0${name}\0${id}`;
}

/** `will`: which of the session's it is. */
export function willKey(name: string, will: string): string {
  return `d\0${name}\0${will}`;
}

export function markKey(process: string): string {
  return `m\0${process}`;
}

export function sessionKeyOf(key: string): SessionKey {
  const kind = key[0] as KeyKind;
  if (kind === 's' || kind === 'w' || kind === 'm') return { kind, name: key.slice(2), id: 0, will: '' };
  const at = key.lastIndexOf('\0');
  const name = key.slice(2, at);
  const last = key.slice(at + 1);
  return kind === 'd' ? { kind, name, id: 0, will: last } : { kind, name, id: Number(last), will: '' };
}
