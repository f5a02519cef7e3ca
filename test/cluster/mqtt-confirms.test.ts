import { describe, expect, it } from 'vitest';
import { type Client, MqttCluster, type MqttNode } from './mqtt-cluster.js';

type Three = [MqttNode, MqttNode, MqttNode];

async function three(): Promise<{ cluster: MqttCluster; nodes: Three }> {
  const cluster = await MqttCluster.of('a', 'b', 'c');
  return { cluster, nodes: cluster.nodes as Three };
}

/** The queue `q` of node a, with all that is published to `x`. */
async function queue(a: MqttNode, args: Record<string, string> = {}): Promise<void> {
  const client = await a.at.client();
  await client.declare('q', { arguments: args });
  await client.bind('amq.topic', 'q', 'x');
}

/** What came, packet by packet; nothing is waited for beyond a moment. */
class Answers {
  private readonly client: Client;
  private seen: number;

  constructor(client: Client) {
    this.client = client;
    this.seen = client.peer.bytes.length;
  }

  get new(): string {
    const { bytes } = this.client.peer;
    const fresh = Buffer.concat(bytes.slice(this.seen)).toString('hex');
    this.seen = bytes.length;
    return fresh;
  }
}

describe.each([
  [1, '4002000'],
  [2, '5002000'],
] as const)('PUBACK and PUBREC in a cluster: QoS %i', (qos, answer) => {
  it('of a message for a queue of another node come when it is on the disk there', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    await queue(a);
    const publisher = await cluster.join(b, 'publisher', {}, 4);
    const answers = new Answers(publisher);
    publisher.publish('x', 'm1', qos);
    await cluster.soon();
    expect(answers.new).toBe(`${answer}1`);
    expect(a.at.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBe(1);
    cluster.peers.cut('b', 'a');
    publisher.publish('x', 'm2', qos);
    await cluster.soon();
    expect(answers.new).toBe('');
    cluster.peers.heal();
    await cluster.soon(1000);
    expect(answers.new).toBe(`${answer}2`);
    // The disk is slow now: what came there is not confirmed before it is synced.
    Object.assign(a.at.member.platform.disk.delayMs, { sync: 500 });
    publisher.publish('x', 'm3', qos);
    await cluster.soon();
    expect(answers.new).toBe('');
    await cluster.soon(1500);
    expect(answers.new).toBe(`${answer}3`);
  });

  it('of a message for a mirrored queue come when all of the set have synced it', async () => {
    const { cluster, nodes } = await three();
    const [a, b, c] = nodes;
    await queue(a, { 'x-queue-type': 'quorum' });
    await cluster.soon(3000);
    const publisher = await cluster.join(b, 'publisher', {}, 4);
    const answers = new Answers(publisher);
    publisher.publish('x', 'm1', qos);
    await cluster.soon(500);
    expect(answers.new).toBe(`${answer}1`);
    const { disk } = c.at.member.platform;
    Object.assign(disk.delayMs, { sync: 700 });
    publisher.publish('x', 'm2', qos);
    await cluster.soon(500);
    expect(answers.new).toBe('');
    await cluster.soon(3000);
    expect(answers.new).toBe(`${answer}2`);
  });
});
