import { expect, test } from 'vitest';
import { recogniseProtocol } from './wrong-protocol.js';

test.each([
  ['16030102000100', 'TLS', 'hex'],
  ['GET / HTTP/1.1\r\n', 'HTTP', 'latin1'],
  ['PRI * HTTP/2.0\r\n', 'HTTP', 'latin1'],
  ['AMQP\0\x01\0\0', 'AMQP', 'latin1'],
  ['101000044d5154540402003c', 'MQTT', 'hex'],
  ['101200064d514973647003', 'MQTT', 'hex'],
  ['10900100044d5154540402003c', 'MQTT', 'hex'],
  ['CONNECT\naccept-version:1.2\n\n\0', 'STOMP', 'latin1'],
  ['STOMP\r\nhost:x\r\n', 'STOMP', 'latin1'],
  ['ff00000000000000017f03', 'ZMTP', 'hex'],
  ['SSH-2.0-OpenSSH', 'SSH', 'latin1'],
] as const)('%s is %s', (text, name, encoding) => {
  expect(recogniseProtocol(Buffer.from(text, encoding))).toBe(name);
});

test.each(['', 'A', 'hello world', '\x16', 'CONNECTION'])('%j is nothing that we know', (text) => {
  expect(recogniseProtocol(Buffer.from(text, 'latin1'))).toBeNull();
});
