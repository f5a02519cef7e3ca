import type { Arguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';

/**
 * What a message says, in no protocol's form: the sections of an AMQP 1.0 message (§3.2), which is the richest of the doors' forms.
 * A door reads its own form into sections and writes sections in its own form: one table per door, instead of one per pair of them.
 * The body is not in here; it stays the bytes that came. docs/MQTT.md and the doors' tables (`sections.ts` in each) tell what becomes
 * what.
 */
export interface Sections {
  readonly header: HeaderSection;
  readonly properties: PropertiesSection;
  /**
   * What the broker or a door has to say beside the publisher: the keys below, each with one meaning. A door without a word for one
   * writes it where its readers look (0-9-1: a header of that name), and reads it back from there.
   */
  readonly annotations: Arguments;
  /** The publisher's own, in order; a name may come more than once (MQTT allows it). */
  readonly applicationProperties: readonly (readonly [name: string, value: JsonValue])[];
}

export interface HeaderSection {
  readonly durable: boolean;
  /** -1: none given. */
  readonly priority: number;
  /** -1: none. Milliseconds. */
  readonly ttlMs: number;
}

/** Absent means not given. Where a text is too long for a door's field it goes into the annotations, or is left out. */
export interface PropertiesSection {
  readonly messageId?: string;
  readonly userId?: string;
  /** Where answers go: a name of the default exchange's kind. */
  readonly replyTo?: string;
  /** A text, or `{ $bytes: base64 }`. */
  readonly correlationId?: JsonValue;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  /** Seconds since 1970. */
  readonly creationTime?: JsonValue;
  /** 0-9-1's `type`, which the field takes for AMQP 1.0's subject when there is no other. */
  readonly type?: string;
  readonly appId?: string;
}

/** Where answers go: a routing key of the topic exchange that MQTT topics live in. */
export const ANNOTATION_REPLY_TOPIC = 'x-opt-reply-to-topic';
/** The QoS that an MQTT client published with: 0, 1 or 2. */
export const ANNOTATION_MQTT_QOS = 'x-mqtt-publish-qos';
/** True when an MQTT client published it with the retain flag. */
export const ANNOTATION_MQTT_RETAIN = 'x-mqtt-retain';
/** True when an MQTT client says that the payload is UTF-8 text. */
export const ANNOTATION_MQTT_TEXT = 'x-mqtt-payload-is-text';
/** Of correlation data that does not fit into 0-9-1's field. */
export const ANNOTATION_CORRELATION = 'x-correlation-id';

export const sectionAnnotations: readonly string[] = [
  ANNOTATION_REPLY_TOPIC,
  ANNOTATION_MQTT_QOS,
  ANNOTATION_MQTT_RETAIN,
  ANNOTATION_MQTT_TEXT,
  ANNOTATION_CORRELATION,
];
