import { expect } from 'vitest';
import type { ScenarioName } from '../scenarios.js';
import type { Scenario } from './stage.js';
import { eventually, expectRefusal } from './stage.js';

/** What the broker refuses, takes away, and must not change. */
export const edges = {
  async 'channel-error'({ connect, own }) {
    const client = await connect();
    await client.declareQueue(own('steady'), { durable: true });
    await expectRefusal(client, /NOT_FOUND - no queue '.*missing' in vhost/, (channel) =>
      channel.declareQueue(own('missing'), { passive: true }),
    );
    await expectRefusal(client, /PRECONDITION_FAILED - inequivalent arg 'durable'/, (channel) =>
      channel.declareQueue(own('steady'), { durable: false }),
    );
    await expectRefusal(client, /NOT_FOUND - no exchange '.*missing' in vhost/, (channel) =>
      channel.publish({ exchange: own('missing'), key: '', body: '' }),
    );
    await expectRefusal(client, /ACCESS_REFUSED/, (channel) => channel.declareQueue('amq.mine'));
    // The errors closed their channels; this one never noticed.
    await client.publish({ key: own('steady'), body: 'still here' });
    expect((await client.get(own('steady')))!.body.toString()).toBe('still here');
    await client.deleteQueue(own('steady'));
  },

  async 'cancel-notify'({ connect, own }) {
    const [client, other] = [await connect(), await connect()];
    await client.declareQueue(own('doomed'));
    const cancelled = new Promise<void>((resolve) => {
      client.consume(own('doomed'), { onCancel: resolve }, () => {});
    });
    await eventually(async () => (await other.declareQueue(own('doomed'))).consumers === 1);
    await other.deleteQueue(own('doomed'));
    await cancelled;
  },

  async 'header-types'({ connect }) {
    const client = await connect();
    const { name } = await client.declareQueue('', { exclusive: true, durable: false });
    const headers = {
      text: 'grüße, 世界',
      empty: '',
      yes: true,
      no: false,
      small: 7,
      negative: -5,
      large: 2 ** 40,
      fraction: 1.5,
      nothing: null,
      table: { a: { b: { c: 'deep' } } },
      list: [1, 'two', [3, false], { four: 4 }],
      long: 'x'.repeat(5000),
    };
    await client.publish({ key: name, body: '', headers });
    const message = await client.get(name);
    expect(message!.headers).toEqual(headers);
    expect(message!.body).toHaveLength(0);
  },
} satisfies Partial<Record<ScenarioName, Scenario>>;
