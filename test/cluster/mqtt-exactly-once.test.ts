import type { Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import type { MqttPeer } from '../protocol/mqtt/peer.js';
import { MqttCluster, type MqttNode } from './mqtt-cluster.js';

const lasting = { clean: false, properties: { sessionExpiryInterval: 100_000 } };

async function three(): Promise<{ cluster: MqttCluster; nodes: [MqttNode, MqttNode, MqttNode] }> {
  const cluster = await MqttCluster.of('a', 'b', 'c');
  await cluster.soon(5000);
  return { cluster, nodes: cluster.nodes as [MqttNode, MqttNode, MqttNode] };
}

/** A client of QoS 2 that keeps to the specification; returns what it took for new. */
function answerAll(peer: MqttPeer, known: Set<number>): string[] {
  const taken: string[] = [];
  for (const packet of peer.taken() as Packet[]) {
    if (packet.cmd === 'publish') {
      if (!known.has(packet.messageId!)) taken.push(packet.payload.toString());
      known.add(packet.messageId!);
      peer.send({ cmd: 'pubrec', messageId: packet.messageId! });
    } else if (packet.cmd === 'pubrel') {
      known.delete(packet.messageId!);
      peer.send({ cmd: 'pubcomp', messageId: packet.messageId! });
    }
  }
  return taken;
}

describe('exactly once, when the connection breaks while PUBREC goes into the log', () => {
  it.each([
    ['at once', 0],
    ['when the log has it', 1000],
  ] as const)('and the client is back at its node %s', async (_, awayMs) => {
    const { cluster, nodes } = await three();
    const [a, ...others] = nodes;
    for (const node of others) {
      const name = `client of ${node.at.name}`;
      // So its queue is led there.
      await (await cluster.join(a, name, lasting)).subscribe('x', 2);
      const first = await cluster.join(node, name, lasting);
      (await cluster.join(a, `publisher for ${name}`)).publish('x', 'once', 2);
      const known = new Set<number>();
      const heard: string[] = [];
      for (let waitedMs = 0; heard.length === 0 && waitedMs < 1000; waitedMs++) {
        await cluster.soon(1);
        heard.push(...answerAll(first.peer, known));
      }
      // PUBREC comes to the node, and nothing further for a while; then PUBREL and its answer come before the queue has heard of the client.
      cluster.peers.delayMs = 10;
      await cluster.soon(3);
      first.peer.wire.destroy();
      await cluster.soon(awayMs);
      const again = cluster.peer(node, name, lasting);
      for (let waitedMs = 0; waitedMs < 1000; waitedMs++) {
        await cluster.soon(1);
        heard.push(...answerAll(again, known));
      }
      cluster.peers.delayMs = 0.2;
      expect([name, heard, [...known]]).toEqual([name, ['once'], []]);
    }
  });
});

it('a client that publishes while the log of sessions takes nothing is not read on without a bound, and all is taken later', async () => {
  const { cluster, nodes } = await three();
  const [a, b, c] = nodes;
  const hearer = await cluster.join(a, 'hearer', {}, 4);
  await hearer.subscribe('x', 0);
  const publisher = await cluster.join(a, 'publisher', { clean: false }, 4);
  for (const { at } of [b, c]) at.kill();
  await cluster.soon(1000);
  const { received } = a.door.sessions.find(a.at.broker.topology.vhosts.get('/')!, 'publisher')!;
  const count = 400;
  for (let id = 1; id <= count; id++) publisher.peer.publish('x', 'y'.repeat(8 * 1024), { qos: 2, messageId: id });
  await cluster.soon(10_000);
  expect(received.waitingBytes).toBeGreaterThan(1024 * 1024);
  expect(received.waitingBytes).toBeLessThan(1.25 * 1024 * 1024);
  for (const { at } of [b, c]) await cluster.start(at.member);
  await cluster.soon(60_000);
  expect(received.waitingBytes).toBe(0);
  expect((await hearer.heard()).length).toBe(count);
});
