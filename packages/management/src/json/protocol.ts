/** The names that the field has for ours, and for its own aliases. */
const fieldNames: { readonly [protocol: string]: string } = {
  amqps: 'amqp/ssl',
  amqp091: 'amqp',
  management: 'http',
  'management-tls': 'https',
  mqtts: 'mqtt/ssl',
  stomps: 'stomp/ssl',
  'mqtt-ws': 'http/web-mqtt',
  'mqtt-wss': 'https/web-mqtt',
  'stomp-ws': 'http/web-stomp',
  'stomp-wss': 'https/web-stomp',
  metrics: 'http/prometheus',
  peer: 'clustering',
};

export function fieldProtocol(protocol: string): string {
  return Object.hasOwn(fieldNames, protocol) ? fieldNames[protocol]! : protocol;
}
