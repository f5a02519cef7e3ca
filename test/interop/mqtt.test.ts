// mqtt.js against a real broker, over TCP and WebSocket, in all versions; what survives restarts; a thousand bytes of everything.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type Broker, startBroker } from '../../examples/demo/broker.mjs';
import { Program } from '../../examples/demo/program.mjs';
import { open } from './mqtt/mqtt-js.js';

const timeout = 60_000;
let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    protocols: ['mqtt', 'mqtt-ws'],
    environment: { CHAPAR_MQTT__WEB_SOCKET_ORIGINS: 'https://own.example' },
  });
}, timeout);
afterAll(() => broker?.stop(), timeout);

const ways = { TCP: () => broker.mqttUrl!, WebSocket: () => broker.mqttWebSocketUrl! };

describe.each(Object.entries(ways))('mqtt.js over %s', (name, url) => {
  describe.each([3, 4, 5] as const)('level %i', (protocolVersion) => {
    const options = (clientId: string, more = {}) => ({
      protocolVersion,
      clientId: `${clientId}-${name}-${protocolVersion}`,
      ...more,
    });
    const topic = (rest: string) => `${name}/${protocolVersion}/${rest}`;

    test('publishes and subscribes at every QoS', { timeout }, async () => {
      const listener = await open(url(), options('listener'));
      const talker = await open(url(), options('talker'));
      await listener.client.subscribeAsync({ [topic('a/+')]: { qos: 2 }, [topic('b.c/*/#')]: { qos: 1 } });
      for (const qos of [0, 1, 2] as const) {
        await talker.client.publishAsync(topic('a/x'), `${qos}`, { qos });
        await talker.client.publishAsync(topic('b.c/*/d'), `${qos}`, { qos });
      }
      const heard = await listener.hears(6);
      const of = (part: string) =>
        heard.filter((each) => each.topic === topic(part)).map(({ payload, qos }) => `${payload}@${qos}`);
      expect(of('a/x')).toEqual(['0@0', '1@1', '2@2']);
      expect(of('b.c/*/d')).toEqual(['0@0', '1@1', '2@1']);
      await listener.client.unsubscribeAsync(topic('a/+'));
      await Promise.all([listener.client.endAsync(), talker.client.endAsync()]);
    });

    test('a large message comes whole', { timeout }, async () => {
      const listener = await open(url(), options('listener'));
      await listener.client.subscribeAsync(topic('large'), { qos: 1 });
      const payload = Buffer.alloc(3_000_000, 'large');
      await listener.client.publishAsync(topic('large'), payload, { qos: 1 });
      const [message] = await listener.hears(1);
      expect(payload.equals(message!.payload as Buffer)).toBe(true);
      await listener.client.endAsync();
    });

    test('thousands come in order', { timeout }, async () => {
      const listener = await open(url(), options('listener'));
      await listener.client.subscribeAsync(topic('many'), { qos: 1 });
      const talker = await open(url(), options('talker'));
      const count = 3000;
      await Promise.all(
        Array.from({ length: count }, (_, i) => talker.client.publishAsync(topic('many'), `${i}`, { qos: 1 })),
      );
      expect((await listener.hears(count)).map(({ payload }) => Number(payload))).toEqual(
        Array.from({ length: count }, (_, i) => i),
      );
      await Promise.all([listener.client.endAsync(), talker.client.endAsync()]);
    });

    test('retained messages and wills', { timeout }, async () => {
      const listener = await open(url(), options('listener'));
      const dying = await open(
        url(),
        options('dying', { will: { topic: topic('will'), payload: Buffer.from('gone'), qos: 1, retain: true } }),
      );
      await listener.client.subscribeAsync(topic('will'), { qos: 1 });
      dying.client.stream.destroy();
      expect((await listener.hears(1))[0]).toMatchObject({ retain: false, qos: 1 });
      const late = await open(url(), options('late'));
      await late.client.subscribeAsync(topic('#'), { qos: 0 });
      expect((await late.hears(1))[0]).toMatchObject({ topic: topic('will'), retain: true });
      await late.client.publishAsync(topic('will'), '', { retain: true });
      await Promise.all([listener.client.endAsync(), late.client.endAsync()]);
    });
  });
});

describe('what an MQTT client left survives', () => {
  const endings: [string, () => Promise<void>][] = [
    ['a clean restart', () => broker.restart()],
    ['a kill -9', () => broker.kill9().then(() => broker.restart())],
  ];
  test.each(endings)('%s', { timeout }, async (name, end) => {
    const session = {
      clientId: `sleeper ${name}`,
      clean: false,
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 600 },
    } as const;
    const sleeper = await open(broker.mqttUrl!, session);
    await sleeper.client.subscribeAsync('survival/#', { qos: 2 });
    await sleeper.client.endAsync();
    const talker = await open(broker.mqttUrl!, { clientId: 'talker', protocolVersion: 4 });
    for (const qos of [1, 2] as const) await talker.client.publishAsync(`survival/${qos}`, name, { qos });
    await talker.client.publishAsync('survival/kept', name, { qos: 1, retain: true });
    await talker.client.endAsync();
    await end();
    const back = await open(broker.mqttUrl!, session);
    // mqtt.js shows a message of QoS 2 once it is released.
    expect((await back.hears(3)).map(({ topic, qos, payload }) => [topic, qos, `${payload}`]).sort()).toEqual([
      ['survival/1', 1, name],
      ['survival/2', 2, name],
      ['survival/kept', 1, name],
    ]);
    await back.client.endAsync(false, { properties: { sessionExpiryInterval: 0 } });
    const late = await open(broker.mqttUrl!, { clientId: 'late', protocolVersion: 5 });
    await late.client.subscribeAsync('survival/kept');
    expect((await late.hears(1))[0]).toMatchObject({ retain: true });
    await late.client.endAsync();
  });
});

describe('the example', () => {
  test('a dashboard sees a sensor come, measure, vanish, and what it was before', { timeout }, async () => {
    const folder = fileURLToPath(new URL('../../examples/node', import.meta.url));
    const run = (name: string, ...args: string[]) =>
      new Program(name, [process.execPath, `${name}.mjs`, ...args], {
        cwd: folder,
        environment: { MQTT_URL: broker.mqttUrl! },
      });
    const early = run('dashboard');
    try {
      await early.saw('watching');
      const sensor = run('sensor', 'attic', '1000');
      await early.saw('attic: 20.0 C');
      await sensor.kill9();
      await early.saw('attic is offline');
      const late = run('dashboard', '1');
      await late.saw('attic is offline (since before we came)');
      await late.finished();
      await run('sensor', 'attic', '1').finished();
      await early.saw('attic is switched off');
    } finally {
      await early.kill9();
    }
  });
});

describe('WebSocket', () => {
  const outcome = (url: string, protocols: string[], headers = {}) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(url, protocols, { headers });
      socket.on('open', () => {
        resolve(`open ${socket.protocol}`);
        socket.terminate();
      });
      socket.on('error', (error) => resolve(error.message));
    });

  test('paths, subprotocols and origins [MQTT-6.0.0-3] [MQTT-6.0.0-4] [MQTT-6.0.0-3 of 3.1.1] [MQTT-6.0.0-4 of 3.1.1]', async () => {
    const at = (path: string) => broker.mqttWebSocketUrl!.replace('/mqtt', path);
    expect(await outcome(at('/mqtt'), ['mqtt'])).toBe('open mqtt');
    expect(await outcome(at('/ws'), ['mqttv3.1'])).toBe('open mqttv3.1');
    expect(await outcome(at('/ws?x=1'), ['other', 'mqtt'])).toBe('open mqtt');
    expect(await outcome(at('/other'), ['mqtt'])).toContain('404');
    expect(await outcome(at('/mqtt'), ['stomp'])).toContain('400');
    expect(await outcome(at('/mqtt'), ['mqtt'], { origin: 'https://own.example' })).toBe('open mqtt');
    expect(await outcome(at('/mqtt'), ['mqtt'], { origin: 'https://other.example' })).toContain('403');
  });

  test('text ends the connection, and packets may be cut anywhere [MQTT-6.0.0-1] [MQTT-6.0.0-2] [MQTT-6.0.0-1 of 3.1.1] [MQTT-6.0.0-2 of 3.1.1]', async () => {
    const talk = (say: (socket: WebSocket) => void) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(broker.mqttWebSocketUrl!, ['mqtt']);
        let heard = '';
        socket.on('open', () => say(socket));
        socket.on('message', (data: Buffer) => {
          heard += data.toString('hex');
          if (heard.length >= 12) socket.close();
        });
        socket.on('close', (code) => resolve(`${heard} ${code}`));
      });
    const connect = Buffer.from('100d00044d51545404020000000178', 'hex');
    expect(await talk((socket) => socket.send('text'))).toBe(' 1003');
    const cut = await talk((socket) => {
      for (const byte of Buffer.concat([connect, Buffer.from('c000', 'hex')])) socket.send(Buffer.from([byte]));
    });
    expect(cut).toBe('20020000d000 1005');
  });

  test('plain HTTP is told what is spoken here', async () => {
    const answer = await fetch(broker.mqttWebSocketUrl!.replace('ws:', 'http:'));
    expect([answer.status, await answer.text()]).toEqual([426, 'This port speaks WebSocket.\n']);
  });
});
