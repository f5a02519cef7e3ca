import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';
import { runWell } from '../interop/command.js';
import { clients } from '../interop/python-environment.js';
import { BrokerProcess } from '../support/broker-process.js';
import { skipUnless } from '../support/skip.js';

const program = fileURLToPath(new URL('pika_properties.py', import.meta.url));
const { python, missing } = await clients();

describe.skipIf(skipUnless(missing === null, missing ?? ''))('what pika left is the same after', () => {
  const play = (broker: BrokerProcess, phase: 'leave' | 'check') =>
    runWell([python ?? '', program, phase], { environment: { AMQP_URL: broker.url } });

  test.each(['a clean stop', 'a kill -9'])('%s', async (ending) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'chapar-pika-'));
    const first = await BrokerProcess.start({ dataDir });
    await play(first, 'leave');
    if (ending === 'a kill -9') await first.kill9();
    else await first.stop();
    const second = await BrokerProcess.start({ dataDir });
    await play(second, 'check');
    await second.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
});
