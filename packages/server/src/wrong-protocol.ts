/** The first bytes of protocols that somebody may speak to the wrong port, and what to tell the administrator about it. */
const openings: readonly { readonly name: string; readonly matches: (chunk: Buffer) => boolean }[] = [
  // RFC 8446 §5.1: a handshake record (22) of version 3.x.
  { name: 'TLS', matches: (chunk) => chunk[0] === 0x16 && chunk[1] === 0x03 },
  {
    name: 'HTTP',
    matches: (chunk) => /^(GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS|CONNECT|PRI) /.test(chunk.toString('latin1', 0, 8)),
  },
  { name: 'AMQP', matches: (chunk) => chunk.toString('latin1', 0, 4) === 'AMQP' },
  // MQTT CONNECT: type 1, a remaining length of one or two bytes, then the protocol name.
  {
    name: 'MQTT',
    matches: (chunk) => chunk[0] === 0x10 && /MQTT|MQIsdp/.test(chunk.toString('latin1', 4, 12)),
  },
  { name: 'STOMP', matches: (chunk) => /^\r?\n?(CONNECT|STOMP)\r?\n/.test(chunk.toString('latin1', 0, 12)) },
  // ZMTP 3.x greeting: ff, eight bytes of padding, 7f.
  { name: 'ZMTP', matches: (chunk) => chunk[0] === 0xff && chunk[9] === 0x7f },
  { name: 'SSH', matches: (chunk) => chunk.toString('latin1', 0, 4) === 'SSH-' },
];

/** Which protocol a peer speaks by its first bytes; null when none is recognised. */
export function recogniseProtocol(chunk: Buffer): string | null {
  return openings.find((opening) => opening.matches(chunk))?.name ?? null;
}
