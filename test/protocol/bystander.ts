import { expect } from 'vitest';
import type { SimNode } from './sim-node.js';
import { describe, type SimPeer } from './sim-peer.js';

/** Somebody on a connection of his own who publishes to himself, and should never notice what others do. */
export class Bystander {
  private readonly peer: SimPeer;
  private readonly queue: string;
  private count = 0;

  private constructor(peer: SimPeer, queue: string) {
    this.peer = peer;
    this.queue = queue;
  }

  static async join(node: SimNode): Promise<Bystander> {
    const peer = await node.channel();
    peer.keepsFrames = false;
    const { queue } = await peer.call(1, { name: 'queue.declare', exclusive: true }, 'queue.declare-ok');
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    await peer.call(1, { name: 'basic.consume', queue, noAck: true }, 'basic.consume-ok');
    return new Bystander(peer, queue);
  }

  /** One more message goes round, and nothing else came. */
  async check(): Promise<void> {
    const body = `message ${++this.count}`;
    this.peer.publish(1, this.queue, body);
    const came = await this.peer.all();
    const deliveries = came.filter(({ body: bytes }) => bytes !== undefined);
    expect(came.map(describe).filter((text) => !/^basic\.(deliver|ack)/.test(text))).toEqual([]);
    expect(deliveries.map(({ body: bytes }) => bytes!.toString())).toEqual([body]);
    expect(came.length).toBe(2);
  }

  /** For a node that takes no more messages: the connection is there and is answered. */
  async isServed(): Promise<void> {
    await this.peer.call(1, { name: 'queue.declare', queue: this.queue, passive: true }, 'queue.declare-ok');
  }

  async leave(): Promise<void> {
    await this.peer.goodbye();
  }
}
