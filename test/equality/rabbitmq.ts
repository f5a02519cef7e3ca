import { setTimeout as sleep } from 'node:timers/promises';
import { RabbitMQ } from '../../bench/brokers/rabbitmq.mjs';
import { AmqpPeer } from '../support/amqp-peer.js';
import type { Line, Place, PolicyWish, Stage } from './place.js';

const PAUSE_MS = 30;
const POLICY_MS = 200;

export const isInstalled = (): boolean => RabbitMQ.installed();

/** Debian's RabbitMQ as a private process. After each session its connections are closed and what it declared is deleted. */
export async function startRabbitMQ(): Promise<Stage> {
  const plugins = ['rabbitmq_consistent_hash_exchange', 'rabbitmq_random_exchange', 'rabbitmq_management'];
  const server = new RabbitMQ({ plugins });
  await server.start();
  const url = `amqp://guest:guest@127.0.0.1:${server.port}`;
  return {
    async play(session) {
      const place = new RabbitPlace(url, `http://127.0.0.1:${server.managementPort}/api`);
      try {
        await session(place);
      } finally {
        await place.clear();
      }
    },
    stop: () => server.stop(),
  };
}

class RabbitPlace implements Place {
  readonly quietPauses = 3;
  readonly pausesMax = 100;
  private readonly url: string;
  private readonly api: string;
  private readonly peers: AmqpPeer[] = [];
  private readonly queues = new Set<string>();
  private readonly exchanges = new Set<string>();
  private readonly policies = new Map<string, PolicyWish>();

  constructor(url: string, api: string) {
    this.url = url;
    this.api = api;
  }

  async dial(): Promise<Line> {
    const peer = await AmqpPeer.open(this.url);
    this.peers.push(peer);
    return {
      send: (channel, method, content) => {
        if (method.name === 'queue.declare' && method.queue) this.queues.add(method.queue);
        if (method.name === 'exchange.declare' && method.exchange) this.exchanges.add(method.exchange);
        peer.send(channel, method, content);
      },
      async take() {
        const received = [];
        while (peer.pending > 0) received.push(await peer.next());
        return received;
      },
      async hangUp() {
        peer.destroy();
      },
    };
  }

  async policy(wish: PolicyWish): Promise<void> {
    const { kind, name, pattern, definition, priority, applyTo } = wish;
    this.policies.set(`${kind}/${name}`, wish);
    const body = JSON.stringify({ pattern, definition, priority, 'apply-to': applyTo });
    const answer = await fetch(`${this.api}/${kind}/%2F/${name}`, {
      method: definition === null ? 'DELETE' : 'PUT',
      headers: {
        'content-type': 'application/json',
        authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
      },
      ...(definition === null ? {} : { body }),
    });
    if (!answer.ok && answer.status !== 404) throw new Error(`${answer.status}: ${await answer.text()}`);
    // Queues and exchanges hear of it one after the other.
    await sleep(POLICY_MS);
  }

  async pause(): Promise<void> {
    await sleep(PAUSE_MS);
  }

  async wait(ms: number): Promise<void> {
    await sleep(ms);
  }

  async clear(): Promise<void> {
    for (const peer of this.peers) peer.destroy();
    for (const wish of this.policies.values()) await this.policy({ ...wish, definition: null });
    const peer = await AmqpPeer.open(this.url);
    let channel = 0;
    const remove = async (name: string, kind: 'queue' | 'exchange') => {
      if (name.startsWith('amq.')) return;
      await peer.channel(++channel);
      peer.send(
        channel,
        kind === 'queue' ? { name: 'queue.delete', queue: name } : { name: 'exchange.delete', exchange: name },
      );
      const { method } = await peer.next();
      // An exclusive queue may be about to go with its connection.
      if (method.name === 'channel.close') peer.send(channel, { name: 'channel.close-ok' });
    };
    for (const queue of this.queues) await remove(queue, 'queue');
    for (const exchange of this.exchanges) await remove(exchange, 'exchange');
    await peer.goodbye();
  }
}
