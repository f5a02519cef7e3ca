import { andThen, type Later, type Publisher, type Target } from '@chapar/core';
import { assertText } from './codec/cursor.js';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import { routingKeyOf } from './topic-bridge.js';
import { isSystemTopic, isTopicName } from './topic-names.js';

const slotsCount = 256;
/** A routing key has at most so many bytes. */
const keyBytesMax = 255;

/** A topic that was published to. */
export interface TopicTarget {
  readonly topic: Buffer;
  readonly target: Target;
}

/**
 * What a connection has published to, found by the bytes of the topic as they stand in PUBLISH: a hit needs no string, no look-up and
 * no permission check. A direct-mapped table, made with the second topic.
 */
export class Targets {
  private readonly exchange: string;
  private last: TopicTarget | null = null;
  private slots: (TopicTarget | undefined)[] | null = null;

  constructor(exchange: string) {
    this.exchange = exchange;
  }

  /** Null when it is not known or no longer holds. */
  find(publisher: Publisher, buf: Buffer, start: number, end: number): TopicTarget | null {
    const { last } = this;
    if (last !== null && matches(last.topic, buf, start, end)) return publisher.isCurrent(last.target) ? last : null;
    const found = this.slots?.[slotOf(buf, start, end)];
    if (found === undefined || !matches(found.topic, buf, start, end) || !publisher.isCurrent(found.target))
      return null;
    this.last = found;
    return found;
  }

  /** Checks and remembers. Throws MqttError for what is no topic name, BrokerError for what is not allowed. */
  resolve(publisher: Publisher, buf: Buffer, start: number, end: number): Later<TopicTarget> {
    assertText(buf, start, end);
    const topic = Buffer.from(buf.subarray(start, end));
    const name = topic.toString();
    const slot = slotOf(buf, start, end);
    return andThen(publisher.target(this.exchange, topicKey(name)), (target) => {
      const found = { topic, target };
      // There and back again it is the same.
      target.address.topic ??= topic;
      if (this.last !== null) this.slots ??= new Array(slotsCount).fill(undefined);
      if (this.slots !== null) this.slots[slot] = found;
      this.last = found;
      return found;
    });
  }
}

/** The routing key of a topic that a client publishes to. Throws MqttError. [MQTT-3.3.2-2], [MQTT-4.7.3-1] */
export function topicKey(topic: string): string {
  if (!isTopicName(topic)) throw new MqttError(REASON.topicInvalid, `'${topic}' is no topic name`);
  // The broker's own.
  if (isSystemTopic(topic)) throw new MqttError(REASON.notAuthorized, 'only the broker publishes to $SYS');
  const key = routingKeyOf(topic);
  if (Buffer.byteLength(key) > keyBytesMax)
    throw new MqttError(REASON.topicInvalid, `a topic of more than ${keyBytesMax} bytes is not taken`);
  return key;
}

function matches(topic: Buffer, buf: Buffer, start: number, end: number): boolean {
  const { length } = topic;
  if (length !== end - start) return false;
  // Topics of one application tend to differ at their end.
  for (let i = length - 1; i >= 0; i--) if (topic[i] !== buf[start + i]) return false;
  return true;
}

/** FNV-1a. */
function slotOf(buf: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ buf[i]!, 0x01000193);
  return (hash ^ (hash >>> 16)) & (slotsCount - 1);
}
