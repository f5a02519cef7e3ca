// Throws damaged conversations at the AMQP 0-9-1 door of a simulated node. Whatever they are: nothing is thrown, nothing is an internal
// error, a bystander is served all the time, and nothing is left of who has gone.
import assert from 'node:assert/strict';
import type { Authorizer } from '@chapar/core';
import {
  encodeMethod,
  type FieldTable,
  FRAME_HEADER_BYTES,
  fieldTable,
  METHODS,
  type MethodInput,
} from '../../packages/amqp091/src/codec/index.js';
import { Bystander } from '../protocol/bystander.js';
import { opening, talk } from '../protocol/dialogue.js';
import { SimNode } from '../protocol/sim-node.js';
import type { SimPeer } from '../protocol/sim-peer.js';
import { contentFrames, rawFrame } from '../support/amqp-peer.js';
import { mutate, type Random, randomBytes, seeded } from './mutate.js';
import { SEED_PROPERTIES, SEED_TABLES } from './seeds.js';

export interface ConnectionFuzzResult {
  readonly seed: number;
  readonly connections: number;
  /** Conversations in which the broker answered more than its first words. */
  readonly talked: number;
  /** Channels and connections that it closed with an error, by code. */
  readonly refused: { readonly [code: number]: number };
}

/** A node serves so many conversations; then it is stopped, which must work, and another one begins. */
const conversationsPerNode = 150;
const frameMax = 4096;

/** Runs for `seconds`; throws, naming the seed of the conversation, when anything happens that must not. */
export async function runConnectionFuzz(seconds: number, seed: number): Promise<ConnectionFuzzResult> {
  const deadline = Date.now() + seconds * 1000;
  const refused: { [code: number]: number } = {};
  let [connections, talked, round] = [0, 0, 0];
  do {
    const roundSeed = (seed + round++) >>> 0;
    const fuzzed = await Round.begin(roundSeed);
    try {
      for (let i = 0; i < conversationsPerNode && Date.now() < deadline; i++) {
        const peers = await fuzzed.converse();
        connections += peers.length;
        talked += peers.filter(({ receivedBytes }) => receivedBytes > 600).length;
      }
      await fuzzed.end();
    } catch (error) {
      throw new Error(`seed ${roundSeed}, conversation ${fuzzed.conversations}: ${error}`, { cause: error });
    }
    for (const code of fuzzed.codes) refused[code] = (refused[code] ?? 0) + 1;
  } while (Date.now() < deadline);
  return { seed, connections, talked, refused };
}

/** One node and those who talk to it. */
class Round {
  conversations = 0;
  readonly codes: number[] = [];
  private readonly random: Random;
  private readonly node: SimNode;
  private readonly bystander: Bystander;
  private readonly timers: number;

  private constructor(random: Random, node: SimNode, bystander: Bystander) {
    this.random = random;
    this.node = node;
    this.bystander = bystander;
    this.timers = node.platform.clock.pendingTimers;
  }

  static async begin(seed: number): Promise<Round> {
    const random = seeded(seed);
    const limits = { messageBytesMax: 20_000, unsentBytesMax: 16 * 1024 };
    const node = await SimNode.start({ seed, limits, authorizer: slowAuthorizer(random) });
    return new Round(random, node, await Bystander.join(node));
  }

  /** Up to three peers at once, each with a damaged conversation, until they have all gone. */
  async converse(): Promise<SimPeer[]> {
    const { random, node } = this;
    this.conversations++;
    node.platform.world.fabric.chunks = pick(random, ['whole', 'cut', 'cut']);
    node.platform.disk.delayMs.sync = random() < 0.5 ? 0 : Math.floor(random() * 5);
    const peers: SimPeer[] = [];
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
      const peer = node.connect();
      peer.keepsFrames = false;
      peers.push(peer);
      for (const piece of conversation(random)) {
        peer.raw(piece);
        if (random() < 0.1) await node.idle();
      }
      if (random() < 0.1) peer.wire.pause();
    }
    await node.idle();
    if (this.conversations % 10 === 0) await this.bystander.check();
    for (const peer of peers) await this.leave(peer);
    await this.expectNothingLeft();
    return peers;
  }

  private async leave(peer: SimPeer): Promise<void> {
    this.note(await peer.all());
    const way = this.random();
    if (way < 0.3) peer.wire.end();
    else if (way < 0.6) peer.wire.destroy();
    else if (way < 0.9) peer.wire.cut();
    else {
      // Perhaps it is hung up on first.
      peer.wire.resume();
      await this.node.advance(this.random() * 20_000);
      peer.wire.cut();
    }
    this.note(await peer.all());
  }

  private note(received: Awaited<ReturnType<SimPeer['all']>>): void {
    for (const { method } of received) {
      if (method.name === 'connection.close' || method.name === 'channel.close') this.codes.push(method.replyCode);
    }
  }

  private async expectNothingLeft(): Promise<void> {
    const { node } = this;
    // The store gathers settlements for a while.
    await node.advance(200);
    // What was ended politely and not answered is hung up on in time.
    if (node.door.connectionCount > 1) await node.advance(12_000);
    const { queues, directQueues } = node.broker.topology.vhosts.get('/')!;
    const owned = [...queues.values()].filter(({ properties }) => properties.owner !== null);
    const here = [...node.broker.topology.vhosts.get('/')!.localQueues()];
    const consumers = here.reduce((sum, queue) => sum + queue.consumers.size + queue.unsettledCount, 0);
    assert.deepEqual(
      {
        connections: node.door.connectionCount,
        open: node.broker.connections.size,
        exclusiveQueues: owned.length,
        consumersAndUnsettled: consumers,
        directQueues: directQueues.size,
        timers: node.platform.clock.pendingTimers - this.timers,
        internalErrors: internalErrors(node),
      },
      {
        connections: 1,
        open: 1,
        exclusiveQueues: 1,
        consumersAndUnsettled: 1,
        directQueues: 0,
        timers: 0,
        internalErrors: [],
      },
    );
    node.platform.network.wires.splice(4);
  }

  async end(): Promise<void> {
    await this.bystander.check();
    await this.bystander.leave();
    await this.node.stop();
    assert.deepEqual(internalErrors(this.node), []);
  }
}

/** Allows everything, now at once, now by and by: what waits for an answer must not outlive who asked. */
function slowAuthorizer(random: Random): Authorizer {
  const allow = () => (random() < 0.8 ? true : Promise.resolve().then(() => true));
  return { version: 1, vhost: allow, resource: allow, topic: allow };
}

function internalErrors(node: SimNode): unknown[] {
  return node.platform.log.lines
    .filter(({ level }) => level === 'error')
    .map(({ fields, message }) => [message, fields]);
}

// ---- conversations ------------------------------------------------------------------------------------------------

/** What a peer says, in pieces. */
function conversation(random: Random): Buffer[] {
  const frames = random() < 0.5 ? sample(random, talk) : improvised(random);
  const said = random() < 0.9 ? [...opening, ...frames] : sample(random, [...opening, ...frames]);
  const damage = random();
  if (damage < 0.3) return said;
  if (damage < 0.6) return said.map((frame) => (random() < 0.05 ? damaged(random, frame) : frame));
  if (damage < 0.8) return shuffled(random, said);
  return [mutate(random, Buffer.concat(said), 64 * 1024)];
}

/** The dialogue with some of it left out or said twice, in its order. */
function sample(random: Random, frames: readonly Buffer[]): Buffer[] {
  return frames.flatMap((frame) => (random() < 0.08 ? [] : random() < 0.05 ? [frame, frame] : [frame]));
}

/** Changes places of a few. */
function shuffled(random: Random, frames: readonly Buffer[]): Buffer[] {
  const result = [...frames];
  for (let swaps = 0; swaps < 4; swaps++) {
    const at = opening.length + Math.floor(random() * Math.max(1, frames.length - opening.length - 1));
    const to = Math.min(result.length - 1, at + 1 + Math.floor(random() * 3));
    if (at < result.length) [result[at], result[to]] = [result[to]!, result[at]!];
  }
  return result;
}

/** A frame whose payload is damaged while its length is right, or one that is damaged anywhere. */
function damaged(random: Random, frame: Buffer): Buffer {
  if (random() < 0.3 || frame.length < FRAME_HEADER_BYTES + 1) return mutate(random, frame, frameMax);
  const payload = mutate(random, frame.subarray(FRAME_HEADER_BYTES, -1), frameMax);
  return rawFrame(random() < 0.9 ? frame[0]! : Math.floor(random() * 10), frame.readUInt16BE(1), payload);
}

/** Methods at random with arguments that mean something. */
function improvised(random: Random): Buffer[] {
  const frames = [1, 2, 3].map((channel) => encodeMethod(channel, { name: 'channel.open' }));
  for (let left = 5 + Math.floor(random() * 60); left > 0; left--) {
    const channel = random() < 0.97 ? 1 + Math.floor(random() * 3) : Math.floor(random() * 12);
    frames.push(...turn(random, channel));
  }
  return frames;
}

function turn(random: Random, channel: number): Buffer[] {
  const method = random() < 0.4 ? pick(random, common)(random) : anyMethod(random);
  const frames = [encodeMethod(channel, method)];
  if (method.name !== 'basic.publish') return frames;
  const body = randomBytes(random, random() < 0.1 ? 21_000 : 300);
  return [...frames, ...contentFrames(channel, { properties: pick(random, SEED_PROPERTIES), body }, frameMax)];
}

const queues = ['', 'a', 'b', 'c', 'durable', 'amq.rabbitmq.reply-to', 'missing'];
const exchanges = ['', 'amq.direct', 'amq.topic', 'amq.headers', 'e', 'f', 'missing'];
const keys = ['', 'a', 'b', 'a.b', '#', '*.b', 'durable'];

/** Those that make other methods come to something. */
const common: readonly ((random: Random) => MethodInput)[] = [
  (random) => ({
    name: 'queue.declare',
    queue: pick(random, queues),
    durable: random() < 0.3,
    exclusive: random() < 0.6,
    autoDelete: random() < 0.3,
    noWait: random() < 0.3,
  }),
  (random) => ({
    name: 'exchange.declare',
    exchange: pick(random, exchanges),
    type: pick(random, types),
    durable: random() < 0.5,
  }),
  (random) => ({
    name: 'queue.bind',
    queue: pick(random, queues),
    exchange: pick(random, exchanges),
    routingKey: pick(random, keys),
  }),
  (random) => ({ name: 'exchange.bind', source: pick(random, exchanges), destination: pick(random, exchanges) }),
  (random) => ({ name: 'basic.consume', queue: pick(random, queues), noAck: random() < 0.5, noWait: random() < 0.3 }),
  (random) => ({
    name: 'basic.publish',
    exchange: random() < 0.5 ? '' : pick(random, exchanges),
    routingKey: pick(random, keys),
    mandatory: random() < 0.5,
  }),
  (random) => ({ name: 'basic.get', queue: pick(random, queues), noAck: random() < 0.5 }),
  (random) => ({ name: 'basic.ack', deliveryTag: Math.floor(random() * 6), multiple: random() < 0.5 }),
  (random) => ({ name: 'basic.nack', deliveryTag: Math.floor(random() * 6), multiple: true, requeue: random() < 0.7 }),
  (random) => ({ name: 'basic.qos', prefetchCount: Math.floor(random() * 3), global: random() < 0.5 }),
  (random) => ({ name: random() < 0.5 ? 'tx.select' : 'tx.commit' }),
  () => ({ name: 'confirm.select' }),
  () => ({ name: 'basic.recover', requeue: true }),
  (random) => ({ name: random() < 0.5 ? 'channel.close-ok' : 'channel.close' }),
  () => ({ name: 'channel.open' }),
  (random) => ({ name: 'queue.delete', queue: pick(random, queues), ifUnused: random() < 0.3, noWait: random() < 0.5 }),
];
const types = ['direct', 'fanout', 'topic', 'headers', 'strange'];

/** Any method there is, now and then one that only a broker says, or one that ends the connection. */
function anyMethod(random: Random): MethodInput {
  const [name, , , fields] = pick(random, METHODS);
  if (name.startsWith('connection.') && random() < 0.9) return { name: 'basic.qos' };
  const filled = Object.entries(fields).map(([field, kind]) => [field, valueFor(random, field, kind)]);
  return { name, ...Object.fromEntries(filled) } as MethodInput;
}

function valueFor(random: Random, field: string, kind: string): unknown {
  if (kind === 'bit') return random() < 0.4;
  if (kind === 'table') return argumentsTable(random);
  if (kind === 'longstr') return randomBytes(random, 20);
  if (kind === 'text' || kind === 'shortstr')
    return pick(random, field === 'queue' ? queues : /exchange|source|destination/.test(field) ? exchanges : keys);
  return random() < 0.8 ? Math.floor(random() * 5) : kind === 'octet' ? 255 : 65_535;
}

function argumentsTable(random: Random): FieldTable {
  if (random() < 0.5) return fieldTable();
  if (random() < 0.3) return pick(random, SEED_TABLES);
  const known = [
    'x-max-length',
    'x-message-ttl',
    'x-priority',
    'x-match',
    'x-queue-type',
    'alternate-exchange',
    'x-expires',
  ];
  const values = [
    0,
    5,
    -1,
    0.5,
    Number.NaN,
    'e',
    'quorum',
    'any',
    true,
    null,
    2n ** 60n,
    fieldTable({ $integer: 'x' }),
  ];
  return fieldTable({ [pick(random, known)]: pick(random, values) });
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}
