import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerNode } from '../../broker-node.js';
import { MqttConnection } from './connection.js';
import type { Journal } from './entry.js';

/** After so long without another one it has all retained messages. Milliseconds. */
const quietMs = 500;
const patienceMs = 10_000;

let readers = 0;

/** Somebody without a past asks a node for its retained messages. False when it was not let in, or not answered. */
export async function readRetained(
  node: BrokerNode,
  filter: string,
  journal: Journal,
  isLast = false,
): Promise<boolean> {
  const name = `reader-${++readers}`;
  const { hostname, port } = new URL(node.mqttUrl);
  let askedMs = 0;
  let heardMs = 0;
  let isOver = false;
  const hello = { clientId: name, clean: true, username: 'guest', password: Buffer.from('guest') };
  const connection = new MqttConnection(hostname, Number(port), hello, {
    heard: (packet) => {
      heardMs = packet.cmd === 'suback' || heardMs > 0 ? Date.now() : 0;
      if (packet.cmd === 'connack') {
        askedMs = Date.now();
        if ((packet.reasonCode ?? 0) !== 0) connection.drop();
        else connection.say({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 1 }] });
      }
      if (packet.cmd !== 'publish') return;
      const { topic, payload, retain, messageId } = packet;
      if (messageId !== undefined) connection.say({ cmd: 'puback', messageId });
      if (!retain) return;
      const [p, n] = payload.toString().split(' ');
      journal.write({ e: 'read', c: name, k: 1, at: node.name, topic, p: p!, n: Number(n), askedMs, isLast });
    },
    over: () => {
      isOver = true;
    },
  });
  const beganMs = Date.now();
  const isDone = () => heardMs > 0 && Date.now() > heardMs + quietMs;
  while (!isOver && !isDone() && Date.now() < beganMs + patienceMs) await sleep(50);
  const isAnswered = !isOver && heardMs > 0;
  if (!isOver) connection.leave();
  return isAnswered;
}
