// One message, two protocols: published by MQTT and consumed by AMQP 0-9-1, and back. What becomes what is told in docs/MQTT.md.
import amqp, { type Channel, type ChannelModel, type GetMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../examples/demo/broker.mjs';
import { type Listener, open } from './mqtt/mqtt-js.js';

const timeout = 60_000;
let broker: Broker;
let connection: ChannelModel;
let channel: Channel;
let device: Listener;
beforeAll(async () => {
  broker = await startBroker({ protocols: ['mqtt'] });
  connection = await amqp.connect(broker.url);
  channel = await connection.createConfirmChannel();
  device = await open(broker.mqttUrl!, { clientId: 'device', protocolVersion: 5 });
}, timeout);
afterAll(async () => {
  await device?.client.endAsync();
  await connection?.close();
  await broker?.stop();
}, timeout);

/** What comes to a queue bound with this key while `publish` runs. */
async function viaAmqp(key: string, publish: () => Promise<unknown>): Promise<GetMessage> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'amq.topic', key);
  await publish();
  for (let tries = 0; tries < 100; tries++) {
    const got = await channel.get(queue, { noAck: true });
    if (got !== false) return got;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('nothing came');
}

async function viaMqtt(filter: string, publish: () => unknown) {
  await device.client.subscribeAsync(filter, { qos: 2 });
  publish();
  const [message] = await device.hears(1);
  await device.client.unsubscribeAsync(filter);
  return message!;
}

describe('MQTT to AMQP 0-9-1', () => {
  test('topic, QoS, retain flag, properties', { timeout }, async () => {
    const { fields, properties, content } = await viaAmqp('plant.*.temperature', () =>
      device.client.publishAsync('plant/7/temperature', '21.5', {
        qos: 2,
        retain: true,
        properties: {
          contentType: 'text/plain',
          payloadFormatIndicator: true,
          correlationData: Buffer.from('c1'),
          responseTopic: 'answers/7',
          messageExpiryInterval: 60,
          userProperties: { unit: 'C', tag: ['a', 'b'] },
        },
      }),
    );
    expect(content.toString()).toBe('21.5');
    expect(fields).toMatchObject({ exchange: 'amq.topic', routingKey: 'plant.7.temperature' });
    expect(properties).toMatchObject({
      deliveryMode: 2,
      contentType: 'text/plain',
      correlationId: 'c1',
      expiration: '60000',
    });
    expect(properties.headers).toEqual({
      unit: 'C',
      tag: ['a', 'b'],
      'x-mqtt-publish-qos': 2,
      'x-mqtt-retain': true,
      'x-mqtt-payload-is-text': true,
      'x-opt-reply-to-topic': 'answers.7',
    });
    await device.client.publishAsync('plant/7/temperature', '', { retain: true });
  });

  test('QoS 0 is not persistent; binary correlation data goes into a header', { timeout }, async () => {
    const { properties } = await viaAmqp('b', () =>
      device.client.publishAsync('b', 'x', { qos: 0, properties: { correlationData: Buffer.from([0xff, 0]) } }),
    );
    expect([properties.deliveryMode, properties.correlationId]).toEqual([1, undefined]);
    expect(properties.headers!['x-correlation-id']).toEqual(Buffer.from([0xff, 0]));
  });

  test.each([
    ['a.b/c', 'a%2Eb.c'],
    ['*/%', '%2A.%25'],
    ['a//b', 'a..b'],
    ['/a', '.a'],
    ['ä b', 'ä b'],
    ['%2E', '%252E'],
  ])('the topic %s is the key %s, and back', { timeout }, async (topic, key) => {
    const { fields } = await viaAmqp('#', () => device.client.publishAsync(topic, 'x'));
    expect(fields.routingKey).toBe(key);
    expect((await viaMqtt(topic, () => channel.publish('amq.topic', key, Buffer.from('x')))).topic).toBe(topic);
  });

  test('a dead letter of an MQTT message, and a headers exchange behind the topic exchange', { timeout }, async () => {
    await channel.assertQueue('letters', { exclusive: true });
    await channel.assertQueue('short', {
      exclusive: true,
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'letters', 'x-message-ttl': 0 },
    });
    await channel.bindQueue('short', 'amq.topic', 'dying');
    await channel.bindExchange('amq.headers', 'amq.topic', 'dying');
    await channel.assertQueue('chosen', { exclusive: true });
    await channel.bindQueue('chosen', 'amq.headers', '', { 'x-match': 'all', colour: 'red' });
    await device.client.publishAsync('dying', 'x', { qos: 1, properties: { userProperties: { colour: 'red' } } });
    for (const queue of ['letters', 'chosen']) {
      let got = await channel.get(queue, { noAck: true });
      for (let tries = 0; got === false && tries < 100; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        got = await channel.get(queue, { noAck: true });
      }
      expect(got && got.properties.headers!['colour'], queue).toBe('red');
      if (queue === 'letters')
        expect(got && got.properties.headers!['x-death']).toMatchObject([{ queue: 'short', reason: 'expired' }]);
    }
  });
});

describe('AMQP 0-9-1 to MQTT', () => {
  test('key, delivery mode, headers and properties', { timeout }, async () => {
    const message = await viaMqtt('orders/+/new', () =>
      channel.publish('amq.topic', 'orders.eu.new', Buffer.from('{}'), {
        persistent: true,
        contentType: 'application/json',
        correlationId: 'c2',
        messageId: 'm1',
        expiration: '60000',
        headers: { unit: 'kg', count: 3, nested: { a: 1 }, many: ['x', 'y'], 'x-opt-reply-to-topic': 'answers.eu' },
      }),
    );
    expect(message).toMatchObject({ topic: 'orders/eu/new', qos: 1, retain: false });
    expect(message.properties).toMatchObject({
      contentType: 'application/json',
      responseTopic: 'answers/eu',
      messageExpiryInterval: 60,
    });
    expect(message.properties!.correlationData!.toString()).toBe('c2');
    expect(message.properties!.userProperties).toEqual({
      unit: 'kg',
      count: '3',
      nested: '{"a":1}',
      many: ['x', 'y'],
      'message-id': 'm1',
    });
  });

  test('not persistent is QoS 0', { timeout }, async () => {
    expect((await viaMqtt('t', () => channel.publish('amq.topic', 't', Buffer.from('x')))).qos).toBe(0);
  });

  test('a key with characters that a topic gives another meaning', { timeout }, async () => {
    const message = await viaMqtt('odd/#', () => channel.publish('amq.topic', 'odd.a/b+c#d', Buffer.from('x')));
    expect(message.topic).toBe('odd/a%2Fb%2Bc%23d');
  });

  test('what went through an AMQP queue and back is what it was', { timeout }, async () => {
    await channel.assertQueue('through', { exclusive: true });
    await channel.bindQueue('through', 'amq.topic', 'there');
    await device.client.publishAsync('there', 'x', {
      qos: 2,
      properties: { userProperties: { a: '1' }, contentType: 'text' },
    });
    let got = await channel.get('through', { noAck: true });
    for (let tries = 0; got === false && tries < 100; tries++) got = await channel.get('through', { noAck: true });
    const { content, properties } = got as GetMessage;
    const message = await viaMqtt('back', () => channel.publish('amq.topic', 'back', content, properties));
    expect(message).toMatchObject({ qos: 2, properties: { contentType: 'text', userProperties: { a: '1' } } });
  });
});
