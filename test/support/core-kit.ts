import {
  Address,
  Alarms,
  type Arguments,
  type DeadLetter,
  type Death,
  DIALECT_AMQP091,
  Dialects,
  type Got,
  Message,
  noArguments,
  Policies,
  type Queue,
  type QueueConsumer,
  type QueueProperties,
  Records,
  type Residence,
  Topology,
  Turn,
  type VirtualHost,
} from '@chapar/core';
import { createSimPlatform, type SimPlatform } from '@chapar/platform';
import { ControlledLogs } from './controlled-logs.js';
import { SteppedMetadata } from './stepped-metadata.js';

/** A message whose headers (for headers exchanges) are given as they are; see `kitDialects`. */
export function messageOf(
  address: Address,
  body = 'x',
  options: { persistent?: boolean; headers?: Arguments; expirationMs?: number; priority?: number } = {},
): Message {
  const headers = Buffer.from(JSON.stringify(options.headers ?? {}));
  const bytes = Buffer.concat([headers, Buffer.from(body)]);
  const { length } = headers;
  const persistent = options.persistent ?? false;
  const bodyBytes = bytes.length - length;
  return new Message(
    address,
    DIALECT_AMQP091,
    persistent,
    options.priority ?? -1,
    options.expirationMs ?? -1,
    bytes,
    0,
    length,
    length,
    bytes.length,
    null,
    bodyBytes,
  );
}

/** Reads the headers of `messageOf`. */
export function kitDialects(): Dialects {
  const dialects = new Dialects();
  const headers = (message: Message): Arguments =>
    Object.assign(Object.create(null), JSON.parse(message.properties().toString()));
  dialects.add({
    id: DIALECT_AMQP091,
    headers,
    header: (message, name) => headers(message)[name],
    withHeaders: (message, set, removed) => {
      const kept = Object.entries(headers(message)).filter(([name]) => !removed.includes(name));
      const { address, persistent } = message;
      return messageOf(address, message.body().toString(), {
        persistent,
        headers: { ...Object.fromEntries(kept), ...set },
      });
    },
    describe: () => noArguments,
    deadLettered: kitDeadLettered,
    withDeliveryCount: (message, count) =>
      messageOf(message.address, message.body().toString(), { headers: { ...headers(message), count } }),
    sections: () => {
      throw new Error('one dialect only');
    },
    ofSections: () => {
      throw new Error('one dialect only');
    },
  });
  return dialects;
}

/** Deaths as `queue/reason`, the latest first, in the header `deaths`; further keys in the header `CC`. */
function kitDeadLettered(message: Message, { address, queue, reason, isRekeyed }: Death): DeadLetter {
  const { CC, ...before } = JSON.parse(message.properties().toString()) as { CC?: string[]; deaths?: string[] };
  const deaths = [`${queue}/${reason}`, ...(before.deaths ?? []).filter((each) => each !== `${queue}/${reason}`)];
  const headers = { ...before, ...(isRekeyed || CC === undefined ? {} : { CC }), deaths };
  const letter = messageOf(address, message.body().toString(), { persistent: message.persistent, headers });
  const marks = deaths.map((death) => ({ queue: death.split('/')[0]!, reason: death.split('/')[1]! }));
  return { message: letter, copyKeys: isRekeyed ? [] : (CC ?? []), deaths: marks };
}

/** basic.get where nothing has to be read first. */
export function getNow(queue: Queue, holder: QueueConsumer | null): Got | null {
  const got = queue.get(holder);
  if (got instanceof Promise) throw new Error('the message is not in memory');
  return got;
}

export const queueAddress = (name: string): Address => new Address('', name);

export function queueProperties(name: string, more: Partial<QueueProperties> = {}): QueueProperties {
  const incarnation = `${name} #1`;
  return { name, vhost: '/', durable: false, autoDelete: false, owner: null, arguments: {}, incarnation, ...more };
}

/** A topology over memory, with one virtual host `/`, and the simulated machine that it runs on. */
export class TopologyKit {
  readonly platform: SimPlatform;
  readonly metadata: SteppedMetadata;
  readonly logs: ControlledLogs;
  readonly turn: Turn;
  readonly records: Records;
  readonly policies: Policies;
  readonly topology: Topology;

  private constructor(
    metadata: SteppedMetadata,
    logs: ControlledLogs,
    seed: number,
    laterMs: number,
    residence: Residence | null,
  ) {
    this.platform = createSimPlatform(seed);
    this.platform.clock.jumpWall(laterMs);
    this.metadata = metadata;
    this.logs = logs;
    this.turn = new Turn(this.platform.clock);
    this.turn.startNotBefore(logs.lastStampMs);
    const { turn, platform } = this;
    const { random, log } = platform;
    const alarms = new Alarms(platform.clock);
    this.records = new Records(metadata);
    this.policies = new Policies(log);
    const { policies } = this;
    const dialects = kitDialects();
    this.topology = new Topology({ metadata, logs, turn, dialects, random, log, alarms, policies, residence });
  }

  static async open(
    metadata = new SteppedMetadata(),
    logs = new ControlledLogs(),
    seed = 1,
    laterMs = 0,
    residence: Residence | null = null,
  ): Promise<TopologyKit> {
    const { entries } = await metadata.load('vhosts/');
    if (entries.length === 0) {
      await metadata.change(
        [],
        [{ key: 'vhosts/%2F', value: { description: '', tags: [], defaultQueueType: 'classic' } }],
      );
    }
    const kit = new TopologyKit(metadata, logs, seed, laterMs, residence);
    await kit.records.open();
    kit.policies.follow(kit.records);
    await kit.topology.open(await logs.recover());
    return kit;
  }

  get vhost(): VirtualHost {
    return this.topology.vhosts.get('/')!;
  }

  /** The next start over what this one left behind, so long after this one's. Milliseconds by the wall clock. */
  restart(logs: ControlledLogs, laterMs = 0): Promise<TopologyKit> {
    this.metadata.disconnect();
    return TopologyKit.open(this.metadata, logs, 2, laterMs);
  }
}
