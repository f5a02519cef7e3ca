// The keys of sessions in their log: a kind, the session's name, and of packet identifiers the identifier, with NUL between.

/** `s`: its record; `i`: identifiers of QoS 2 that came; `o`: those that the client has received; `w`: in a cluster, who has it. */
export type KeyKind = 's' | 'i' | 'o' | 'w';

export interface SessionKey {
  readonly kind: KeyKind;
  /** Of the session; see `sessionName`. */
  readonly name: string;
  /** The packet identifier; 0: none. */
  readonly id: number;
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

export function sessionKeyOf(key: string): SessionKey {
  const kind = key[0] as KeyKind;
  if (kind === 's' || kind === 'w') return { kind, name: key.slice(2), id: 0 };
  const at = key.lastIndexOf('\0');
  return { kind, name: key.slice(2, at), id: Number(key.slice(at + 1)) };
}
