import { Address, DIALECT_MQTT, Message } from '@chapar/core';
import type { MqttDoor } from './door.js';
import type { RetainedMessage } from './retained/retained.js';
import type { Session } from './session.js';
import { storedForm } from './stored-publish.js';
import { SystemLoad } from './system-load.js';
import { routingKeyOf } from './topic-bridge.js';
import { isSystemTopic, matchesFilter } from './topic-names.js';

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
  private readonly load: SystemLoad;
  private ticks = 0;
  private connectedMax = 0;

  constructor(door: MqttDoor) {
    this.door = door;
    this.load = new SystemLoad(door.broker.platform.clock.monotonicMs());
  }

  /** The session's subscriptions were changed, or it was found on disk. */
  changed(session: Session): void {
    for (const { filter } of session.subscriptions) {
      if (!isSystemTopic(filter)) continue;
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

  /** Counted from the start of the broker. As for `messages`, packets that carry none are not counted. */
  private measure(): { readonly [name: string]: string | number } {
    const { door } = this;
    const { broker, sessions } = door;
    const traffic = door.gone.with(door.connections);
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
      'messages/received': traffic.messagesIn,
      'messages/sent': traffic.messagesOut,
      'publish/messages/received': traffic.messagesIn,
      'publish/messages/sent': traffic.messagesOut,
      'publish/messages/dropped': traffic.dropped,
      'publish/bytes/received': traffic.payloadBytesIn,
      'publish/bytes/sent': traffic.payloadBytesOut,
      'bytes/received': traffic.bytesIn,
      'bytes/sent': traffic.bytesOut,
      ...this.load.update(
        {
          'messages/received': traffic.messagesIn,
          'messages/sent': traffic.messagesOut,
          'publish/received': traffic.messagesIn,
          'publish/sent': traffic.messagesOut,
          'publish/dropped': traffic.dropped,
          'bytes/received': traffic.bytesIn,
          'bytes/sent': traffic.bytesOut,
          sockets: door.acceptedCount,
        },
        broker.platform.clock.monotonicMs(),
      ),
    };
  }
}
