import { expect } from 'vitest';
import type { Scenario } from './stage.js';

/** The two halves of surviving; between them the test stops or kills the broker. */
export const survivalScenarios: Record<'leave' | 'check', Scenario> = {
  async leave({ connect, own }) {
    const client = await connect();
    await client.declareExchange(own('lasting'), 'direct', { durable: true });
    await client.declareQueue(own('survivors'), { durable: true });
    await client.bind(own('survivors'), own('lasting'), 'key');
    for (const body of ['one', 'two', 'three']) {
      await client.publish({ exchange: own('lasting'), key: 'key', body, persistent: true, headers: { body } });
      await client.publish({ exchange: own('lasting'), key: 'key', body: 'transient' });
    }
  },

  async check({ connect, own }) {
    const client = await connect();
    const { messages } = await client.declareQueue(own('survivors'), { passive: true, durable: true });
    expect(messages, 'the persistent three, and no transient one').toBe(3);
    for (const body of ['one', 'two', 'three']) {
      const message = await client.get(own('survivors'));
      expect([message?.body.toString(), message?.headers?.['body'], message?.persistent]).toEqual([body, body, true]);
      message!.ack();
    }
    // The binding is there too.
    await client.publish({ exchange: own('lasting'), key: 'key', body: 'again' });
    expect((await client.get(own('survivors')))?.body.toString()).toBe('again');
    await client.deleteQueue(own('survivors'));
    await client.deleteExchange(own('lasting'));
  },
};
