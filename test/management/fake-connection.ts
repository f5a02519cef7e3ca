import type { Broker, ChannelView, ConnectionView, ConsumerView, Queue } from '@chapar/core';
import { noArguments } from '@chapar/core';

/** A connection as a door would show it, of a user, in a virtual host. */
export class FakeConnection implements ConnectionView {
  readonly name: string;
  readonly protocol = 'AMQP 0-9-1';
  readonly principal;
  readonly vhost: string;
  readonly local = { address: '127.0.0.1', port: 5672 };
  readonly remote;
  readonly tls = null;
  readonly clientProperties = {
    product: 'fake',
    'big-number': { $integer: '9007199254740993' },
    when: { $timestamp: 5 },
  };
  readonly userProvidedName = 'mine';
  readonly authMechanism = 'PLAIN';
  readonly connectedAtMs = 1_700_000_000_000;
  readonly state = 'running';
  readonly blocked = { reason: null, lastBlockedAtMs: null };
  readonly channelsMax = 2047;
  readonly frameBytesMax = 131_072;
  readonly heartbeatSeconds = 60;
  readonly receivedBytes = 10;
  readonly sentBytes = 20;
  readonly unsentBytes = 0;
  readonly channels: FakeChannel[] = [];
  /** Why it was closed; null while it is open. */
  closedFor: string | null = null;
  private readonly broker: Broker;

  constructor(broker: Broker, user: string, vhost: string, port: number) {
    this.broker = broker;
    this.principal = { user, tags: [], backend: 'internal' };
    this.vhost = vhost;
    this.remote = { address: '127.0.0.1', port };
    this.name = `127.0.0.1:${port} -> 127.0.0.1:5672`;
    broker.connections.add(this);
  }

  get channelCount(): number {
    return this.channels.length;
  }

  close(reason: string): void {
    this.closedFor = reason;
    this.broker.connections.delete(this);
  }

  /** A channel with a consumer of each queue. */
  channel(...queues: Queue[]): this {
    this.channels.push(new FakeChannel(this, this.channels.length + 1, queues));
    return this;
  }
}

class FakeChannel implements ChannelView {
  readonly connection: ConnectionView;
  readonly number: number;
  readonly confirms = true;
  readonly transactional = false;
  readonly unacknowledgedCount = 2;
  readonly unconfirmedCount = 0;
  readonly uncommittedCount = 0;
  readonly acksUncommittedCount = 0;
  readonly prefetchCount = 5;
  readonly globalPrefetchCount = 0;
  readonly consumers: ConsumerView[];
  readonly publishedCount = 3;
  readonly confirmedCount = 3;
  readonly returnedCount = 1;
  readonly deliveredCount = 4;
  readonly acknowledgedCount = 2;

  constructor(connection: ConnectionView, number: number, queues: Queue[]) {
    this.connection = connection;
    this.number = number;
    this.consumers = queues.map((queue) => consumerOf(queue));
  }

  get consumerCount(): number {
    return this.consumers.length;
  }
}

/** Attached to its queue, too, as a door's are. */
function consumerOf(queue: Queue): ConsumerView {
  const tag = `ctag-${queue.name}`;
  const spec = { tag, acknowledges: true, exclusive: false, priority: 0, arguments: noArguments, window: null };
  const { activity } = queue.attach(spec, { deliver: () => true, detached: () => undefined });
  return { ...spec, queue, prefetchCount: 5, activity };
}
