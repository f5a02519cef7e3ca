// A page in a real browser (Chromium), with mqtt.js' bundle for browsers, over WebSocket.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../examples/demo/broker.mjs';
import { skipUnless } from '../support/skip.js';
import { chromium, Origin } from './browser-program.js';

const timeout = 180_000;
let broker: Broker;
let ours: Origin;
let foreign: Origin;

describe.skipIf(skipUnless(chromium, 'chromium is not installed'))('a page in a browser', () => {
  beforeAll(async () => {
    ours = await Origin.open();
    foreign = await Origin.open();
    const environment = { CHAPAR_MQTT__WEB_SOCKET_ORIGINS: `https://own.example,${ours.url}` };
    broker = await startBroker({ protocols: ['mqtt-ws'], environment });
  }, timeout);

  afterAll(async () => {
    await broker?.stop();
    await ours?.close();
    await foreign?.close();
  }, timeout);

  test('publishes and hears every QoS, and what was retained, by 3.1.1 and 5.0', { timeout }, async () => {
    const said = (version: number) => ({
      granted: [2],
      messages: [
        [`browser/${version}/0`, 'of QoS 0', 0, false],
        [`browser/${version}/1`, 'of QoS 1', 1, false],
        [`browser/${version}/2`, 'of QoS 2', 2, false],
        [`browser/${version}/kept`, 'retained', 1, true],
      ],
      large: true,
    });
    expect(await ours.play('everything', broker.mqttWebSocketUrl!)).toEqual({ 4: said(4), 5: said(5) });
  });

  test('of an origin that mqtt.webSocketOrigins does not name is refused, of one that it names is not', {
    timeout,
  }, async () => {
    expect(await foreign.play('refused', broker.mqttWebSocketUrl!)).toEqual({ opened: false, code: 1006 });
    expect(await ours.play('refused', broker.mqttWebSocketUrl!)).toEqual({ opened: true });
  });
});
