import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Client, MqttCluster, type MqttNode } from './mqtt-cluster.js';

const lasting = { clean: false, properties: { sessionExpiryInterval: 1000 } };
const will = { topic: 'w', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
const mourned = { ...lasting, will };
const delayed = { ...lasting, will: { ...will, properties: { willDelayInterval: 30 } } };

afterEach(() => vi.restoreAllMocks());

async function stage() {
  const cluster = await MqttCluster.of('a', 'b', 'c');
  const [a, b, c] = cluster.nodes as [MqttNode, MqttNode, MqttNode];
  await cluster.soon(10_000);
  const hearer = await cluster.join(c, 'hearer', lasting);
  await hearer.subscribe('w', 2);
  return { cluster, a, b, c, hearer };
}

const directoryOf = ({ door }: MqttNode) => door.takeovers!.directory;
const due = (nodes: readonly MqttNode[]): number[] => nodes.map((node) => directoryOf(node).dueWills().length);

/** So far away that it does not know in time what others do. */
function slow(cluster: MqttCluster, node: MqttNode, ms: number): void {
  for (const other of cluster.nodes) if (other !== node) cluster.peers.lag(node.at.name, other.at.name, ms);
}

describe('a will in a cluster', () => {
  it('is sent once when its client is cut off from its node, and nothing is left of it in the log', async () => {
    const { cluster, a, b, c, hearer } = await stage();
    const plain = await cluster.join(b, 'plain');
    await plain.subscribe('w', 0);
    for (const more of [mourned, { will }]) {
      const client = await cluster.join(a, 'client', more);
      await client.peer.drop();
      expect(await hearer.heard()).toEqual(['gone!']);
      expect(await plain.heard()).toEqual(['gone']);
    }
    await cluster.soon(3000);
    expect(due([a, b, c])).toEqual([0, 0, 0]);
    expect(await hearer.heard()).toEqual([]);
  });

  it('is sent by whoever comes behind, as the same message, when who sent it dies before the log says so', async () => {
    const { cluster, a, b, c, hearer } = await stage();
    const client = await cluster.join(b, 'client', mourned);
    vi.spyOn(directoryOf(b), 'endDue').mockReturnValue();
    await client.peer.drop();
    expect(await hearer.heard()).toEqual(['gone!']);
    expect(due([a, c])).toEqual([1, 1]);
    b.at.kill();
    const sent = [a, c].map((node) => vi.spyOn(directoryOf(node), 'provenanceOf'));
    await cluster.soon(20_000);
    expect(sent.flatMap(({ mock }) => mock.calls)).toHaveLength(1);
    expect(await hearer.heard()).toEqual([]);
    expect(due([a, c])).toEqual([0, 0]);
  });

  it('is sent when its node dies in the moment in which it should', async () => {
    const { cluster, a, b, c, hearer } = await stage();
    const client = await cluster.join(b, 'client', mourned);
    vi.spyOn(b.door.takeovers!.wills as unknown as { see(): void }, 'see').mockReturnValue();
    await client.peer.drop();
    expect(await hearer.heard()).toEqual([]);
    expect(due([a, c])).toEqual([1, 1]);
    b.at.kill();
    await cluster.soon(20_000);
    expect(await hearer.heard()).toEqual(['gone!']);
    expect(due([a, c])).toEqual([0, 0]);
  });

  it('is known to others when its client of a kept session hears CONNACK', async () => {
    const { cluster, a, b, hearer } = await stage();
    const first = await cluster.join(b, 'client', lasting);
    await first.peer.drop();
    await cluster.soon();
    slow(cluster, b, 200);
    const peer = cluster.peer(b, 'client', mourned);
    while ((await peer.next())?.cmd !== 'connack') await cluster.soon(1);
    b.at.kill();
    await cluster.soon(20_000);
    expect(await hearer.heard()).toEqual(['gone!']);
    expect(a.door.sessions.count).toBeGreaterThan(0);
  });

  it('is not left by a client that was not let in', async () => {
    const { cluster, a, b, hearer } = await stage();
    await (await cluster.join(b, 'client', lasting)).peer.drop();
    slow(cluster, b, 300);
    const peer = cluster.peer(b, 'client', mourned);
    await cluster.soon(150);
    peer.wire.destroy();
    await cluster.soon(5000);
    expect(await hearer.heard()).toEqual([]);
    expect(due([a])).toEqual([0]);
  });

  it('is sent once by a node that cannot be reached and by those that took the session: not by the first', async () => {
    const { cluster, a, b, hearer } = await stage();
    const beside = await cluster.join(a, 'beside');
    await beside.subscribe('w', 0);
    const client = await cluster.join(a, 'client', mourned);
    cluster.isolate(a, true);
    await client.peer.drop();
    await cluster.soon(20_000);
    expect(await hearer.heard()).toEqual(['gone!']);
    cluster.isolate(a, false);
    await cluster.soon(20_000);
    expect([await hearer.heard(), await beside.heard(), due([a, b])]).toEqual([[], [], [0, 0]]);
  });

  it('waits while its log takes nothing, and is sent then', async () => {
    const { cluster, a, b, c, hearer } = await stage();
    const client = await cluster.join(c, 'client', mourned);
    a.at.kill();
    b.at.kill();
    await cluster.soon(20_000);
    await client.peer.drop();
    await cluster.soon(1000);
    for (const { at } of [a, b]) await cluster.start(at.member);
    await cluster.soon(30_000);
    expect(await hearer.heard()).toEqual(['gone!']);
    expect(due([c])).toEqual([0]);
  });

  it('that is retained does not come back over a newer message when it is sent again', async () => {
    const { cluster, a, b, c, hearer } = await stage();
    const client = await cluster.join(b, 'client', { ...lasting, will: { ...will, retain: true } });
    vi.spyOn(directoryOf(b), 'endDue').mockReturnValue();
    await client.peer.drop();
    await cluster.soon();
    hearer.peer.publish('w', 'newer', { qos: 1, retain: true, messageId: 77 });
    await cluster.soon(1000);
    b.at.kill();
    await cluster.soon(20_000);
    expect(due([a, c])).toEqual([0, 0]);
    const late = await cluster.join(a, 'late');
    await late.subscribe('w', 1);
    expect(await late.heard()).toEqual(['newer!']);
  });
});

describe('a will when its client comes to another node', () => {
  async function taken(more: object, next: object): Promise<{ heard: string[]; later: string[] }> {
    const { cluster, a, b, hearer } = await stage();
    await cluster.join(a, 'client', more);
    await cluster.soon(1000);
    await cluster.join(b, 'client', next);
    await cluster.soon(1000);
    const heard = await hearer.heard();
    await cluster.soon(60_000);
    expect(due([a, b])).toEqual([0, 0]);
    return { heard, later: await hearer.heard() };
  }

  it.each([
    ['a kept session', mourned, lasting],
    ['a kept session that is not wanted any more', mourned, { ...lasting, clean: true }],
    ['a session that goes with its connection', { will }, { clean: true }],
    ['a session that goes with its connection, for a kept one', { will }, lasting],
    ['a kept session, for one that goes with its connection', mourned, { clean: true }],
    ['a session that ends with that, and a delay', delayed, { ...lasting, clean: true }],
    ['a session that ends with that, and a delay, for one that goes with its connection', delayed, { clean: true }],
  ])('is sent once: %s', async (_, more, next) => {
    expect(await taken(more, next)).toEqual({ heard: ['gone!'], later: [] });
  });

  it('is not sent when it waits for a delay, and the session goes on', async () => {
    expect(await taken(delayed, lasting)).toEqual({ heard: [], later: [] });
  });

  it('is sent when the node that had the session dies as it lets go of it', async () => {
    const { cluster, a, b, hearer } = await stage();
    await cluster.join(b, 'client', mourned);
    const letGo = vi.spyOn(b.door.sessions, 'letGo').mockImplementation(() => {
      b.at.kill();
      return null;
    });
    await cluster.join(a, 'client', lasting);
    await cluster.soon(30_000);
    expect([letGo.mock.calls.length, await hearer.heard()]).toEqual([1, ['gone!']]);
  });

  it('is sent when the log has not heard of it yet', async () => {
    const { cluster, a, b, hearer } = await stage();
    slow(cluster, b, 200);
    const first = await cluster.join(b, 'client', { will });
    await cluster.soon(150);
    expect(first.peer.isOver).toBe(false);
    await cluster.join(a, 'client');
    await cluster.soon(5000);
    expect(await hearer.heard()).toEqual(['gone!']);
  });

  it('is not sent when the client has said goodbye, although the log has not heard of that yet', async () => {
    const { cluster, a, b, hearer } = await stage();
    const first: Client = await cluster.join(b, 'client', mourned);
    await cluster.soon(1000);
    vi.spyOn(directoryOf(b), 'put').mockReturnValue();
    await first.peer.goodbye();
    await cluster.join(a, 'client', lasting);
    await cluster.soon(5000);
    expect(await hearer.heard()).toEqual([]);
  });
});
