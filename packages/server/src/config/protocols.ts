/** Every protocol of the command line, with the port that it listens on by default (null: none). */
export const defaultPorts = {
  amqp: 5672,
  amqps: 5671,
  mqtt: 1883,
  mqtts: 8883,
  'mqtt-ws': 15675,
  'mqtt-wss': 15676,
  stomp: 61613,
  stomps: 61614,
  'stomp-ws': 15674,
  'stomp-wss': 15673,
  'amqp-ws': 15678,
  'amqp-wss': 15677,
  management: 15672,
  'management-tls': 15671,
  metrics: 15692,
  peer: 25672,
  zmtp: null,
} as const;

export type KnownProtocol = keyof typeof defaultPorts;

/** What this version speaks. */
export const protocols = [
  'amqp',
  'amqps',
  'mqtt',
  'mqtts',
  'mqtt-ws',
  'mqtt-wss',
  'management',
  'management-tls',
  'peer',
] as const;
export type Protocol = (typeof protocols)[number];

/** Those that need `tls.certFile` and `tls.keyFile`. */
export const tlsProtocols: readonly Protocol[] = ['amqps', 'mqtts', 'mqtt-wss', 'management-tls'];

export function isKnownProtocol(name: string): name is KnownProtocol {
  return Object.hasOwn(defaultPorts, name);
}

export function isProtocol(name: string): name is Protocol {
  return (protocols as readonly string[]).includes(name);
}

/** Management, metrics and peers listen on the loopback unless told otherwise; clients come from anywhere. */
export function defaultHost(protocol: KnownProtocol): string | null {
  return ['management', 'management-tls', 'metrics', 'peer'].includes(protocol) ? '127.0.0.1' : null;
}
