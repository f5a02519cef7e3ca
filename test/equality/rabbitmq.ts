import { setTimeout as sleep } from 'node:timers/promises';
import { RabbitMQ } from '../../bench/brokers/rabbitmq.mjs';
import { AmqpPeer } from '../support/amqp-peer.js';
import type { Line, Place, Stage } from './place.js';

const PAUSE_MS = 30;

export const isInstalled = (): boolean => RabbitMQ.installed();

/** Debian's RabbitMQ as a private process. After each session its connections are closed and what it declared is deleted. */
export async function startRabbitMQ(): Promise<Stage> {
  const server = new RabbitMQ({ plugins: ['rabbitmq_consistent_hash_exchange', 'rabbitmq_random_exchange'] });
  await server.start();
  const url = `amqp://guest:guest@127.0.0.1:${server.port}`;
  return {
    async play(session) {
      const place = new RabbitPlace(url);
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
  private readonly peers: AmqpPeer[] = [];
  private readonly queues = new Set<string>();
  private readonly exchanges = new Set<string>();

  constructor(url: string) {
    this.url = url;
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

  async pause(): Promise<void> {
    await sleep(PAUSE_MS);
  }

  async wait(ms: number): Promise<void> {
    await sleep(ms);
  }

  async clear(): Promise<void> {
    for (const peer of this.peers) peer.destroy();
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
