import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { Broker } from './broker.js';
import { startBroker } from './broker.js';
import { runWell } from './command.js';
import { clients } from './python-environment.js';

const program = fileURLToPath(new URL('python/order.py', import.meta.url));
const environment = await clients();

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker?.stop());

describe.skipIf(skipUnless(environment.missing === null, environment.missing ?? ''))('pika', () => {
  test('priorities of messages and consumers, a single active consumer', async () => {
    await runWell([environment.python ?? '', program], { environment: { AMQP_URL: broker.url }, seconds: 70 });
  });
});
