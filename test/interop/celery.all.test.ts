import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { Broker } from './broker.js';
import { startBroker } from './broker.js';
import { runWell } from './command.js';
import { celery } from './python-environment.js';

const program = fileURLToPath(new URL('celery/scenarios.py', import.meta.url));
const environment = await celery();
const noCelery = skipUnless(environment.missing === null, environment.missing ?? '');

const scenarios = [
  'results',
  'countdown',
  'retries',
  'priorities',
  'killed-worker',
  'reply-queues-expire',
  'remote-control',
  'quorum',
  'kombu',
];

describe.skipIf(noCelery)('celery and kombu', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker?.stop());

  test.each(scenarios)('%s', async (scenario) => {
    const command = [environment.python ?? '', '-B', program, scenario];
    const output = await runWell(command, { environment: { AMQP_URL: broker.url }, seconds: 120 });
    expect(output).toMatch(/ok\n$/);
  });
});
