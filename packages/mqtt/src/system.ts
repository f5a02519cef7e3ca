import { Address, DIALECT_MQTT, Message } from '@chapar/core';
import type { Connection } from './connection.js';
import type { MqttDoor } from './door.js';
import type { RetainedMessage } from './retained/retained.js';
import type { Session } from './session.js';
import { storedForm } from './stored-publish.js';
import { routingKeyOf } from './topic-bridge.js';
import { matchesFilter } from './topic-names.js';

/** How often the values are looked at; the field's default. Seconds. */
const intervalSeconds = 10;
const prefix = '$SYS/broker/';

/**
 * `$SYS/#`: what dashboards made for Mosquitto read. The broker's own topics: no client publishes to them, no exchange sees them, and
 * only sessions that subscribe to `$SYS/...` are told.
 */
export class SystemTopics {
  private readonly door: MqttDoor;
  private readonly values = new Map<string, Message>();
  private readonly texts = new Map<string, string>();
  private readonly sessions = new Set<Session>();
  private ticks = 0;
  private connectedMax = 0;

  constructor(door: MqttDoor) {
    this.door = door;
  }

  /** The session's subscriptions were changed, or it was found on disk. */
  changed(session: Session): void {
    for (const { filter } of session.subscriptions) {
      if (!filter.startsWith('$SYS/')) continue;
      this.sessions.add(session);
      return;
    }
    this.sessions.delete(session);
  }

  /** Once a second. */
  tick(): void {
    if (this.ticks++ % intervalSeconds !== 0) return;
    for (const [name, value] of Object.entries(this.measure())) this.set(prefix + name, String(value));
    for (const session of this.sessions) if (session.isEnded) this.sessions.delete(session);
  }

  private set(topic: string, text: string): void {
    if (this.texts.get(topic) === text) return;
    this.texts.set(topic, text);
    const form = storedForm(0, true, Buffer.alloc(0));
    const body = Buffer.from(text);
    const address = this.values.get(topic)?.address ?? new Address(this.door.settings.exchange, routingKeyOf(topic));
    const message = new Message(address, DIALECT_MQTT, false, -1, -1, form, 0, form.length, 0, 0, [body], body.length);
    this.values.set(topic, message);
    for (const { connection, subscriptions } of this.sessions) {
      const match = subscriptions.match(address);
      if (connection === null || match.qos < 0 || !connection.mayAnswer) continue;
      connection.sender.sendPlain(message, match.retainAsPublished, match.subscriptionIds);
    }
  }

  /** The present values, for a new subscription. */
  *matching(filter: string): Generator<RetainedMessage> {
    const levels = filter.split('/');
    for (const [topic, message] of this.values) if (matchesFilter(levels, topic.split('/'))) yield { topic, message };
  }

  private measure(): { readonly [name: string]: string | number } {
    const { door } = this;
    const { broker, sessions } = door;
    const traffic = { received: 0, sent: 0 };
    for (const connection of door.connections) addTraffic(traffic, connection);
    const connected = door.openCount;
    this.connectedMax = Math.max(this.connectedMax, connected);
    let subscriptions = 0;
    for (const session of sessions) subscriptions += session.subscriptions.size + session.shares.size;
    const uptime = Math.floor((broker.platform.clock.wallMs() - broker.startedAtMs) / 1000);
    return {
      version: `chapar version ${broker.identity.version}`,
      uptime: `${uptime} seconds`,
      'clients/total': sessions.count,
      'clients/connected': connected,
      'clients/active': connected,
      'clients/disconnected': sessions.count - connected,
      'clients/inactive': sessions.count - connected,
      'clients/maximum': this.connectedMax,
      'clients/expired': sessions.expiredCount,
      'subscriptions/count': subscriptions,
      'retained messages/count': door.retained.count,
      'messages/received': door.gone.publishedIn + traffic.received,
      'messages/sent': door.gone.publishedOut + traffic.sent,
      'publish/messages/received': door.gone.publishedIn + traffic.received,
      'publish/messages/sent': door.gone.publishedOut + traffic.sent,
      'bytes/received': door.gone.bytesIn + sum(door.connections, ({ receivedBytes }) => receivedBytes),
      'bytes/sent': door.gone.bytesOut + sum(door.connections, ({ sentBytes }) => sentBytes),
    };
  }
}

function addTraffic(traffic: { received: number; sent: number }, connection: Connection): void {
  traffic.received += connection.publisher?.statistics.published ?? 0;
  traffic.sent += connection.sentCount;
}

function sum(connections: Iterable<Connection>, of: (connection: Connection) => number): number {
  let total = 0;
  for (const connection of connections) total += of(connection);
  return total;
}
