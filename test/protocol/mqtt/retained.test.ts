import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from '../sim-node.js';
import { join, type MqttPeer } from './peer.js';

let node: SimNode;
let alice: MqttPeer;
beforeEach(async () => {
  node = await SimNode.start();
  alice = await join(node, 'alice');
});
afterEach(() => node.stop());

const keep = async (topic: string, payload: string, more = {}) => {
  alice.publish(topic, payload, { qos: 1, retain: true, ...more });
  await alice.expect('puback');
};
/** What a new client gets for a subscription. */
async function sees(filter: string, options: number | object = 1): Promise<string[]> {
  const peer = await join(node, 'new');
  await peer.subscribe({ [filter]: options });
  const messages = await peer.messages();
  await peer.goodbye();
  return messages.map(({ topic, payload, retain }) => `${topic}=${payload}${retain ? '' : '?'}`).sort();
}

describe('retained messages', () => {
  test('the last of a topic is kept, with its properties [MQTT-3.3.1-5]', async () => {
    await keep('a', '1');
    await keep('a', '2', { properties: { contentType: 'text', userProperties: { u: 'v' } } });
    const bob = await join(node, 'bob');
    await bob.subscribe('a', 2, 9);
    expect(await bob.messages()).toMatchObject([
      {
        qos: 1,
        retain: true,
        properties: { contentType: 'text', userProperties: { u: 'v' }, subscriptionIdentifier: 9 },
      },
    ]);
  });

  test('by wildcards, and of no $-topic', async () => {
    for (const topic of ['a', 'a/b', 'a/b/c', '/x', 'b', '$p/q', 'a//c']) await keep(topic, 'm');
    expect(await sees('a/#')).toEqual(['a/b/c=m', 'a/b=m', 'a//c=m', 'a=m'].sort());
    expect(await sees('+')).toEqual(['a=m', 'b=m']);
    expect(await sees('+/+')).toEqual(['/x=m', 'a/b=m']);
    expect(await sees('a/+/c')).toEqual(['a//c=m', 'a/b/c=m'].sort());
    expect((await sees('#')).length).toBe(6);
    expect(await sees('$p/+')).toEqual(['$p/q=m']);
    expect(await sees('none')).toEqual([]);
  });

  test('an empty payload deletes it, goes on to subscribers, and is not kept [MQTT-3.3.1-6] [MQTT-3.3.1-7]', async () => {
    await keep('a', '1');
    const bob = await join(node, 'bob');
    await bob.subscribe('a', 0);
    await bob.all();
    await keep('a', '');
    expect(await bob.messages()).toMatchObject([{ retain: false }]);
    expect(await sees('a')).toEqual([]);
    expect(node.mqtt.retained.count).toBe(0);
  });

  test('one without the flag changes nothing [MQTT-3.3.1-8]', async () => {
    await keep('a', '1');
    alice.publish('a', '2');
    alice.publish('a', '');
    expect(await sees('a')).toEqual(['a=1']);
  });

  test('Retain Handling [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4]', async () => {
    await keep('a', '1');
    const bob = await join(node, 'bob');
    const counts: number[] = [];
    for (const rh of [2, 0, 0, 1]) {
      await bob.subscribe({ a: { qos: 0, rh } });
      counts.push((await bob.messages()).length);
    }
    const fresh = await join(node, 'fresh');
    await fresh.subscribe({ a: { qos: 0, rh: 1 } });
    counts.push((await fresh.messages()).length);
    expect(counts).toEqual([0, 1, 1, 0, 1]);
  });

  test('the lower QoS; those of QoS 1 are acknowledged, and come again', async () => {
    await keep('a', '1', { qos: 2 }).catch(() => undefined);
    alice.send({ cmd: 'pubrel', messageId: 1 });
    await alice.all();
    await keep('b', '2');
    const bob = await join(node, 'bob', 5, { properties: { sessionExpiryInterval: 100 } });
    await bob.subscribe('#', 1);
    expect((await bob.messages()).map(({ qos }) => qos)).toEqual([1, 1]);
    await bob.drop();
    const again = await join(node, 'bob', 5, { clean: false });
    expect((await again.messages()).map(({ qos, retain, dup }) => [qos, retain, dup])).toEqual([
      [1, true, true],
      [1, true, true],
    ]);
  });

  test('expire, counted down', async () => {
    await keep('a', '1', { properties: { messageExpiryInterval: 100 } });
    await node.advance(40_000);
    const bob = await join(node, 'bob');
    await bob.subscribe('a', 0);
    const [message] = await bob.messages();
    expect(message!.properties!.messageExpiryInterval).toBeGreaterThan(55);
    expect(message!.properties!.messageExpiryInterval).toBeLessThanOrEqual(60);
    await node.advance(61_000);
    expect(await sees('a')).toEqual([]);
    await node.advance(3_000);
    expect(node.mqtt.retained.count).toBe(0);
  });

  test('are there after a crash, and what was deleted is not', async () => {
    for (let i = 0; i < 20; i++) await keep(`t/${i % 5}`, `${i}`);
    await keep('t/0', '');
    await keep('t/long', 'x'.repeat(20_000), { properties: { userProperties: { a: 'b' } } });
    const { platform } = node;
    platform.crash('nothing');
    node = await SimNode.start({ platform });
    const bob = await join(node, 'bob');
    await bob.subscribe('t/#', 0);
    const messages = await bob.messages();
    expect(messages.map(({ topic, payload }) => `${topic}=${payload.toString().slice(0, 2)}`).sort()).toEqual([
      't/1=16',
      't/2=17',
      't/3=18',
      't/4=19',
      't/long=xx',
    ]);
    expect(messages.find(({ topic }) => topic === 't/long')!.properties!.userProperties).toEqual({ a: 'b' });
  });

  test('ten thousand come piece by piece, to a client that takes ten at a time', async () => {
    const loader = await join(node, 'loader', 4);
    for (let i = 0; i < 10_000; i++)
      loader.publish(`many/${i}`, `${i}`, { retain: true, qos: i % 2 ? 1 : 0, messageId: (i % 60_000) + 1 });
    await node.idle();
    const bob = await join(node, 'bob', 5, { properties: { receiveMaximum: 10 } });
    await bob.subscribe('many/#', 1);
    const seen = new Set<string>();
    for (let packets = await bob.messages(); packets.length > 0; packets = await bob.messages()) {
      for (const { topic, qos, messageId } of packets) {
        seen.add(topic);
        if (qos > 0) bob.send({ cmd: 'puback', messageId: messageId! });
      }
    }
    expect(seen.size).toBe(10_000);
  });

  test('one among many that do not match is found, by QoS 0 and by QoS 1', async () => {
    const loader = await join(node, 'loader', 4);
    for (let i = 0; i < 3_000; i++) loader.publish(`s${i % 3}/${i}/x`, 'm', { retain: true });
    loader.publish('s1/1234/y', 'found', { retain: true, qos: 1, messageId: 1 });
    await node.idle();
    expect(await sees('+/+/y', 0)).toEqual(['s1/1234/y=found']);
    expect(await sees('+/+/y', 1)).toEqual(['s1/1234/y=found']);
    expect(await sees('+/+/z', 1)).toEqual([]);
  });

  test('leave the aliases to what comes again', async () => {
    for (let i = 0; i < 5; i++) await keep(`t/${i}`, 'm');
    const bob = await join(node, 'bob', 5, { properties: { topicAliasMaximum: 2 } });
    await bob.subscribe('t/#', 0);
    const replayed = (await bob.messages()).map(({ topic, properties }) => [topic, properties?.topicAlias]);
    expect(replayed.sort()).toEqual(Array.from({ length: 5 }, (_, i) => [`t/${i}`, undefined]));
    for (let i = 0; i < 3; i++) alice.publish('t/4', 'm', { retain: i === 0 });
    expect((await bob.messages()).map(({ topic, properties }) => [topic, properties?.topicAlias])).toEqual([
      ['t/4', 1],
      ['', 1],
      ['', 1],
    ]);
  });

  test('go with their virtual host', async () => {
    await node.settle(node.broker.putVirtualHost('v', { description: '', tags: [], defaultQueueType: 'classic' }));
    await node.settle(node.broker.permissions.set('v', 'guest', { configure: '.*', write: '.*', read: '.*' }));
    const peer = await join(node, 'v', 5, { username: 'v:guest', password: Buffer.from('guest') });
    peer.publish('a', '1', { qos: 1, retain: true });
    await peer.expect('puback');
    expect(await sees('a')).toEqual([]);
    await node.settle(node.broker.deleteVirtualHost('v'));
    expect(node.mqtt.retained.count).toBe(0);
    await peer.expectEnd(0x98);
  });
});

describe('wills', () => {
  const will = (more = {}) => ({ will: { topic: 'will', payload: Buffer.from('gone'), ...more } });
  let watcher: MqttPeer;
  beforeEach(async () => {
    watcher = await join(node, 'watcher');
    await watcher.subscribe('will', 2);
  });

  test('a client that drops leaves one, one that says goodbye does not [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]', async () => {
    await join(node, 'c', 5, will()).then((peer) => peer.goodbye());
    await watcher.silence();
    await join(node, 'c', 5, will()).then((peer) => peer.drop());
    expect(await watcher.payloads()).toEqual(['gone']);
    await join(node, 'c', 4, will()).then((peer) => peer.drop());
    expect(await watcher.payloads()).toEqual(['gone']);
    await join(node, 'c', 4, will()).then((peer) => peer.goodbye());
    await watcher.silence();
  });

  test('also with DISCONNECT 0x04, a protocol error, a keep-alive, a take-over', async () => {
    await join(node, 'c', 5, will()).then((peer) => peer.goodbye(4));
    expect(await watcher.payloads()).toEqual(['gone']);
    const wrong = await join(node, 'c', 5, will());
    wrong.raw([0, 0]);
    expect(await watcher.payloads()).toEqual(['gone']);
    await join(node, 'c', 5, { ...will(), keepalive: 1 });
    await node.advance(4000);
    expect(await watcher.payloads()).toEqual(['gone']);
    await join(node, 'c', 5, will());
    await join(node, 'c', 5);
    expect(await watcher.payloads()).toEqual(['gone']);
  });

  test.each([0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99])(
    'also with DISCONNECT %i: only a normal one takes it back [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]',
    async (reason) => {
      await join(node, 'c', 5, will()).then((peer) => peer.goodbye(reason));
      expect(await watcher.payloads()).toEqual(['gone']);
    },
  );

  test('with its QoS, retain flag and properties, in order [MQTT-3.1.2-9] [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.3-10]', async () => {
    const properties = { contentType: 'text', messageExpiryInterval: 50, userProperties: { b: '1', a: '2' } };
    await join(node, 'c', 5, will({ qos: 2, retain: true, properties })).then((peer) => peer.drop());
    const [message] = await watcher.messages();
    expect(message).toMatchObject({
      qos: 2,
      retain: false,
      properties: { contentType: 'text', messageExpiryInterval: 50 },
    });
    expect(JSON.stringify(message!.properties!.userProperties)).toBe('{"b":"1","a":"2"}');
    expect(await sees('will')).toEqual(['will=gone']);
    await keep('will', '');
    await join(node, 'c', 5, will()).then((peer) => peer.drop());
    expect(await sees('will')).toEqual([]);
  });

  test('a delay: not when the client is back in time, and no later than the session [MQTT-3.1.3-9]', async () => {
    const delayed = { ...will({ properties: { willDelayInterval: 10 } }), clean: false };
    const lasting = { ...delayed, properties: { sessionExpiryInterval: 100 } };
    await join(node, 'c', 5, lasting).then((peer) => peer.drop());
    await node.advance(8000);
    await watcher.silence();
    await join(node, 'c', 5, lasting).then((peer) => peer.drop());
    await node.advance(8000);
    await watcher.silence();
    await node.advance(3000);
    expect(await watcher.payloads()).toEqual(['gone']);
    await node.advance(200_000);
    await watcher.silence();
    await join(node, 'c', 5, { ...delayed, properties: { sessionExpiryInterval: 3 } }).then((peer) => peer.drop());
    await node.advance(4000);
    expect(await watcher.payloads()).toEqual(['gone']);
    await join(node, 'c', 5, { ...delayed, properties: { sessionExpiryInterval: 0 } }).then((peer) => peer.drop());
    expect(await watcher.payloads()).toEqual(['gone']);
  });

  test('of a session that was connected when the broker crashed', async () => {
    const away = await join(node, 'away', 5, { properties: { sessionExpiryInterval: 100 } });
    await away.subscribe('will', 1);
    await away.drop();
    await join(node, 'c', 5, { ...will({ qos: 1 }), clean: false, properties: { sessionExpiryInterval: 100 } });
    await node.idle();
    const { platform } = node;
    platform.crash('nothing');
    node = await SimNode.start({ platform });
    const back = await join(node, 'away', 5, { clean: false });
    expect(await back.payloads()).toEqual(['gone']);
  });

  test('one that may not be published is refused with the connection', async () => {
    await node.addUser('reader', { read: '.*', configure: '.*', write: 'mqtt-.*' });
    const refused = join(node, 'r', 5, { ...will(), username: 'reader', password: Buffer.from('reader') });
    await expect(refused).rejects.toThrow('"reasonCode":135');
    await expect(join(node, 'r', 5, will({ topic: 'a/#' }))).rejects.toThrow();
  });
});
