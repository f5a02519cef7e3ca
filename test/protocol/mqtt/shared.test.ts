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

const lasting = { clean: false, properties: { sessionExpiryInterval: 100 } };

async function members(count: number, filter: string, qos: number, more = {}): Promise<MqttPeer[]> {
  const peers: MqttPeer[] = [];
  for (let i = 0; i < count; i++) {
    const peer = await join(node, `m${i}`, 5, more);
    await peer.subscribe(filter, qos);
    peers.push(peer);
  }
  return peers;
}

describe('a shared subscription', () => {
  test.each(['$share/g', '$share//t', '$share/g/', '$share/+/t', '$share/g#/t', '$share/g/t/#/x'])(
    '%s is none [MQTT-4.8.2-1] [MQTT-4.8.2-2]',
    async (filter) => {
      const [peer] = await members(1, 'x', 0);
      expect(await peer!.subscribe(filter, 1)).toEqual([0x8f]);
    },
  );

  test('with No Local is a protocol error [MQTT-3.8.3-4]', async () => {
    const [peer] = await members(1, 'x', 0);
    peer!.send({ cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: '$share/g/t', qos: 1, nl: true }] });
    await peer!.expectEnd(0x82);
  });

  test.each([0, 1, 2])('each message to one of them, in turn, QoS %i [MQTT-4.8.2-3]', async (qos) => {
    const peers = await members(3, '$share/g/t/#', qos);
    const alone = await join(node, 'alone');
    await alone.subscribe('t/+', 0);
    for (let i = 0; i < 30; i++) alice.publish('t/x', `${i}`, { qos: 2, messageId: i + 1 });
    const got = await Promise.all(peers.map((peer) => peer.messages()));
    expect(got.map((each) => each.length)).toEqual([10, 10, 10]);
    expect(new Set(got.flat().map(({ payload }) => payload.toString())).size).toBe(30);
    expect(new Set(got.flat().map((each) => each.qos))).toEqual(new Set([qos]));
    expect((await alone.messages()).length).toBe(30);
  });

  test('groups and filters are apart from each other', async () => {
    const [a] = await members(1, '$share/g/t', 1);
    const b = await join(node, 'b');
    await b.subscribe({ '$share/h/t': 1, '$share/g/+': 1 });
    alice.publish('t', 'm', { qos: 1 });
    expect((await a!.messages()).length).toBe(1);
    expect((await b.messages()).length).toBe(2);
  });

  test('what one has not acknowledged goes to another when it goes', async () => {
    const [first, second] = await members(2, '$share/g/t', 1);
    for (let i = 0; i < 6; i++) alice.publish('t', `${i}`, { qos: 1 });
    const [mine] = await Promise.all([first!.payloads(), second!.all()]);
    await first!.drop();
    expect(await second!.payloads()).toEqual(mine);
  });

  test('QoS 2 that was sent waits for its session, and comes again there [MQTT-4.8.2-4]', async () => {
    const [first, second] = await members(2, '$share/g/t', 2, lasting);
    for (let i = 0; i < 4; i++) alice.publish('t', `${i}`, { qos: 2 });
    const [mine] = await Promise.all([first!.messages(), second!.all()]);
    await first!.drop();
    await second!.silence();
    const again = await join(node, 'm0', 5, lasting);
    const back = await again.messages();
    expect(back.map(({ payload, messageId }) => [payload, messageId])).toEqual(
      mine.map(({ payload, messageId }) => [payload, messageId]),
    );
  });

  test('and ends with its session [MQTT-4.8.2-5]', async () => {
    const [first, second] = await members(2, '$share/g/t', 2, lasting);
    for (let i = 0; i < 4; i++) alice.publish('t', `${i}`, { qos: 2 });
    await Promise.all([first!.all(), second!.all()]);
    await first!.goodbye(0, 0);
    await second!.silence();
    await node.advance(10_000);
    await second!.silence();
  });

  test('QoS 2 that was not sent goes to another', async () => {
    const [first] = await members(1, '$share/g/t', 2, { properties: { receiveMaximum: 2 } });
    for (let i = 0; i < 6; i++) alice.publish('t', `${i}`, { qos: 2 });
    expect(await first!.payloads()).toEqual(['0', '1']);
    const second = await join(node, 'second');
    await second.subscribe('$share/g/t', 2);
    expect(await second.payloads()).toEqual(['2', '3', '4', '5']);
  });

  test('an error of the client ends the message [MQTT-4.8.2-6]', async () => {
    const [first, second] = await members(2, '$share/g/t', 1);
    alice.publish('t', 'm', { qos: 1 });
    const packets = [...(await first!.messages()), ...(await second!.messages())];
    const { messageId } = packets[0]!;
    for (const peer of [first!, second!]) peer.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0x83 });
    await first!.drop();
    await second!.silence();
  });

  test('gets no retained messages', async () => {
    alice.publish('t', 'kept', { qos: 1, retain: true });
    await alice.expect('puback');
    const [peer] = await members(1, '$share/g/t', 1);
    await peer!.silence();
  });

  test('identifiers go with it, for QoS 2 too', async () => {
    for (const qos of [1, 2]) {
      const peer = await join(node, `p${qos}`);
      await peer.subscribe(`$share/g${qos}/t`, qos, 40 + qos);
      alice.publish('t', 'm', { qos: qos as 1, messageId: qos });
      expect((await peer.messages())[0]!.properties!.subscriptionIdentifier).toBe(40 + qos);
    }
  });

  test('a wildcard matches no $-topic there either', async () => {
    const [peer] = await members(1, '$share/g/#', 1);
    alice.publish('$x/y', 'no', { qos: 1 });
    alice.publish('x/y', 'yes', { qos: 1 });
    expect(await peer!.payloads()).toEqual(['yes']);
  });

  test('its queue goes with the last who unsubscribes, and stays over a restart for those who are away', async () => {
    const queues = () => [...node.broker.topology.vhosts.get('/')!.queues.keys()];
    const [first, second] = await members(2, '$share/g/t', 1, lasting);
    first!.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['$share/g/t'] });
    await first!.expect('unsuback');
    await second!.drop();
    alice.publish('t', 'm', { qos: 1 });
    await alice.expect('puback');
    const { platform } = node;
    platform.crash('nothing');
    node = await SimNode.start({ platform });
    expect(queues()).toEqual(['mqtt-share-g/t']);
    const back = await join(node, 'm1', 5, lasting);
    expect(await back.payloads()).toEqual(['m']);
    back.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['$share/g/t'] });
    await back.all();
    expect(queues()).toEqual([]);
  });

  test('queues of groups that nobody is in any more are swept at the start', async () => {
    await members(1, '$share/g/t', 1);
    const { platform } = node;
    platform.crash('nothing');
    node = await SimNode.start({ platform });
    expect([...node.broker.topology.vhosts.get('/')!.queues.keys()]).toEqual([]);
  });
});
