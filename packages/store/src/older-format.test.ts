import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeMessage, messageFacts } from '../../../test/contract/messages.js';
import type { RecoveredMessages } from '../../../test/contract/recovered.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import { inspectDirectory } from './inspection.js';

const orders = '5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b01';
const mail = '5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b02';

/** A machine with a stored data directory on its disk. */
async function machineWith(vector: string): Promise<SimStore> {
  const node = new SimStore(1, { wal: { fileBytesMax: 4000, bytesMin: 20_000 } });
  const { disk } = node.platform;
  const { files } = JSON.parse(readFileSync(new URL(`../../../test/vectors/${vector}`, import.meta.url), 'utf8')) as {
    files: Record<string, string>;
  };
  for (const [path, content] of Object.entries(files)) {
    await node.settle(disk.makeDirectory(join('/data', path, '..')));
    await node.settle(disk.replaceFile(join('/data', path), gunzipSync(Buffer.from(content, 'base64'))));
  }
  return node;
}

const found = (recovered: readonly RecoveredMessages[], incarnation: string) =>
  recovered.find((queue) => queue.incarnation === incarnation)!;
const facts = (queue: RecoveredMessages) => queue.messages.map(({ message }) => messageFacts(message));
const leftOrders = [1, 21, 23, 24, 25, 26, 27, 28, 29, 39, 40];

function expectOrders(queue: RecoveredMessages, receivedAtMs: number): void {
  expect(queue.messages.map(({ position }) => position)).toEqual(leftOrders);
  const expected = leftOrders.map((i) =>
    i === 1
      ? makeMessage({
          exchange: 'amq.topic',
          routingKey: 'orders.new',
          properties: 'plain',
          body: 'first',
          receivedAtMs,
        })
      : makeMessage({ routingKey: 'orders', properties: `p${i}`, body: `order ${i} `.padEnd(200, '.'), receivedAtMs }),
  );
  expect(facts(queue)).toEqual(expected.map(messageFacts));
}

describe('a data directory of format version 1', () => {
  it('is read: messages, settlements, removed queues, what was delivered', async () => {
    const node = await machineWith('data-directory-v1.json');
    // Nobody noted then when a message was received: it counts from this start on.
    const receivedAtMs = node.platform.clock.wallMs();
    const { recovered, metadata, logs } = await node.start();
    expect(recovered.map(({ incarnation }) => incarnation).sort()).toEqual([orders, mail]);
    expectOrders(found(recovered, orders), receivedAtMs);
    expect(found(recovered, orders)).toMatchObject({ deliveredUpTo: 28, pending: [], returns: [] });
    expect(facts(found(recovered, mail))).toEqual(
      [
        makeMessage({ exchange: 'ü', routingKey: 'k'.repeat(255), priority: 0, body: 'x'.repeat(6000), receivedAtMs }),
        makeMessage({ body: 'last', receivedAtMs }),
      ].map(messageFacts),
    );
    expect(logs.lastStampMs).toBe(0);
    const { entries } = await node.settle(metadata.load('queues/'));
    expect(entries.map(({ key }) => key)).toEqual(['queues/%2F/mail', 'queues/%2F/orders']);
    expect(node.platform.log.find('', 'error')).toEqual([]);
  });

  it('goes on in the present version, also for messages that move to new files', async () => {
    const node = await machineWith('data-directory-v1.json');
    const receivedAtMs = node.platform.clock.wallMs();
    let { recovered, logs } = await node.start();
    logs.log(orders).pend(21, 'expired');
    for (let i = 1; i <= 200; i++) {
      const position = logs.log(mail).publish(makeMessage({ body: 'm'.repeat(500) }));
      logs.log(mail).settle(position, position);
      if (i % 10 === 0) await node.settle(logs.sync());
    }
    await node.idle();
    const files = await node.platform.disk.list('/data/wal');
    expect(files[0]! > 'wal-00000003.log').toBe(true);
    node.crash();
    ({ recovered, logs } = await node.start());
    expectOrders(found(recovered, orders), receivedAtMs);
    expect(found(recovered, orders).pending).toMatchObject([{ position: 21, reason: 'expired' }]);
    expect(found(recovered, mail).messages).toHaveLength(2);
  });

  it('is read also where the header of a file is damaged', async () => {
    const node = await machineWith('data-directory-v1.json');
    const receivedAtMs = node.platform.clock.wallMs();
    node.platform.disk.corrupt('/data/wal/wal-00000001.log', 33, 0xff);
    const { recovered } = await node.start();
    expectOrders(found(recovered, orders), receivedAtMs);
    expect(node.platform.log.find('the header of the file is damaged', 'error')).toHaveLength(1);
  });

  it('is shown by an inspection', async () => {
    const node = await machineWith('data-directory-v1.json');
    const inspection = await node.settle(inspectDirectory(node.platform, '/data'));
    expect(inspection.damages).toEqual([]);
    expect(inspection.queues).toMatchObject([
      { vhost: '/', name: 'mail', messages: 2, pending: 0 },
      { vhost: '/', name: 'orders', messages: leftOrders.length, pending: 0 },
    ]);
  });
});
