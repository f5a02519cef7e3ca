import { describe, expect, test } from 'vitest';
import type { MqttEntry } from './mqtt-entry.js';
import { judgeMqtt, missing } from './mqtt-verdict.js';

const t = 0;
/** Odd numbers have QoS 2, even ones 1, as the programs do it. */
const sentWith = (id: number) => (id % 2 === 0 ? 1 : 2);
const published = (id: number): MqttEntry => ({ t, e: 'published', p: 'p', id, sent: sentWith(id) });
const confirmed = (id: number): MqttEntry => ({ t, e: 'confirmed', p: 'p', id });
const heard = (id: number): MqttEntry => ({
  ...{ t, e: 'heard', c: 's', p: 'p', id, sent: sentWith(id), qos: sentWith(id), dup: false },
});
const connected = (present: boolean | null): MqttEntry => ({ t, e: 'connected', role: 'sub', present, text: 'a' });

const four = [1, 2, 3, 4].flatMap((id) => [published(id), confirmed(id)]);
const ledgers = (publisher: MqttEntry[], subscriber: MqttEntry[]) =>
  new Map([
    ['p', [...publisher, ...[1, 2, 3, 4].map(heard)]],
    ['s', subscriber],
  ]);
const kinds = (publisher: MqttEntry[], subscriber: MqttEntry[], atLeastOnce: string[] = []) =>
  judgeMqtt(ledgers(publisher, subscriber), atLeastOnce).faults.map((text) => text.slice(0, text.indexOf(':')));

describe('a broker that does as MQTT says has no faults', () => {
  test.each<[string, MqttEntry[], MqttEntry[]]>([
    ['everything once and in order', four, [1, 2, 3, 4].map(heard)],
    ['the two streams of a publisher pass each other', four, [2, 4, 1, 3].map(heard)],
    ['QoS 1 again, from where it was interrupted', four, [1, 2, 4, 2, 4, 3].map(heard)],
    ['what was not confirmed may be gone', [...four, published(5), published(6)], [1, 2, 3, 4, 6].map(heard)],
    ['a session that is there', four, [connected(false), connected(true), connected(null), ...[1, 2, 3, 4].map(heard)]],
  ])('%s', (_, publisher, subscriber) => {
    expect(kinds(publisher, subscriber)).toEqual([]);
  });

  test('who hears QoS 2 as QoS 1 may hear it again', () => {
    expect(kinds(four, [1, 1, 2, 3, 4].map(heard), ['s'])).toEqual([]);
  });
});

describe('one that does not is found out', () => {
  test.each<[string, string[], MqttEntry[], MqttEntry[]]>([
    ['a confirmed message lost', ['lost'], four, [1, 2, 4].map(heard)],
    ['QoS 2 twice', ['twice'], four, [1, 2, 3, 1, 4].map(heard)],
    ['QoS 2 out of order', ['order'], four, [3, 1, 2, 4].map(heard)],
    ['QoS 1 out of order when it is new', ['order'], four, [4, 2, 1, 3].map(heard)],
    ['a message from nowhere', ['from nowhere'], four, [1, 2, 3, 4, 7].map(heard)],
    ['a confirm of nothing', ['from nowhere'], [...four, confirmed(8)], [1, 2, 3, 4].map(heard)],
    ['two confirms', ['two fates'], [...four, confirmed(3)], [1, 2, 3, 4].map(heard)],
    ['a session that is gone', ['session'], four, [connected(false), connected(false), ...[1, 2, 3, 4].map(heard)]],
    ['a client that counts wrongly', ['the client is wrong'], [...four, published(4)], [1, 2, 3, 4].map(heard)],
  ])('%s', (_, expected, publisher, subscriber) => {
    expect(kinds(publisher, subscriber)).toEqual(expected);
  });

  test('who lacks what is told while it may still come', () => {
    expect(missing(ledgers(four, [1, 2].map(heard)))).toEqual({ s: 2 });
    expect(missing(ledgers(four, [1, 2, 3, 4].map(heard)))).toEqual({});
  });
});
