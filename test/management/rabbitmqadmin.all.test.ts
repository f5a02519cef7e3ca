import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { type Fixture, startFixture } from './compose.js';

const run = promisify(execFile);
/** Version 1, in Python, as Debian's rabbitmq-server brings it. */
const tool = '/usr/bin/rabbitmqadmin';

describe.skipIf(skipUnless(existsSync(tool), `${tool} is not there (Debian package rabbitmq-server)`))(
  'rabbitmqadmin works unchanged',
  () => {
    let fixture: Fixture;
    let port: number;
    let directory: string;
    beforeAll(async () => {
      fixture = await startFixture();
      port = (await fixture.management.listen('127.0.0.1', 0, null)).port;
      directory = mkdtempSync(join(tmpdir(), 'chapar-rabbitmqadmin-'));
    });
    afterAll(async () => {
      await fixture.close();
      rmSync(directory, { recursive: true });
    });

    const admin = async (...args: string[]): Promise<string> => {
      const all = [tool, '-H', '127.0.0.1', '-P', String(port), ...args];
      return (await run('python3', all, { cwd: directory, env: { ...process.env, HOME: directory } })).stdout;
    };

    test('declares, lists, publishes, gets, deletes', async () => {
      await admin('declare', 'vhost', 'name=v');
      await admin('declare', 'user', 'name=u', 'password=p', 'tags=management');
      for (const user of ['u', 'guest']) {
        await admin('declare', 'permission', 'vhost=v', `user=${user}`, 'configure=.*', 'write=.*', 'read=.*');
      }
      const inV = (...args: string[]) => admin('-V', 'v', ...args);
      await inV('declare', 'queue', 'name=q', 'durable=true', 'arguments={"x-max-length":10}');
      await inV('declare', 'queue', 'name=mirrored', 'queue_type=quorum');
      await inV('declare', 'exchange', 'name=e', 'type=topic');
      await inV('declare', 'binding', 'source=e', 'destination=q', 'routing_key=a.#');
      await inV('declare', 'policy', 'name=p', 'pattern=^q', 'definition={"max-length":5}', 'apply-to=queues');
      await inV('declare', 'operator_policy', 'name=o', 'pattern=^q', 'definition={"max-length":5}');
      await inV('declare', 'vhost_limit', 'vhost=v', 'name=max-queues', 'value=10');
      await inV('declare', 'parameter', 'component=shovel', 'name=s', 'value={"a":1}');
      expect(await inV('publish', 'exchange=e', 'routing_key=a.b', 'payload=hi')).toContain('Message published');
      expect(await inV('publish', 'exchange=e', 'routing_key=z', 'payload=hi')).toContain('NOT routed');
      expect(await inV('-f', 'tsv', 'get', 'queue=q', 'ackmode=ack_requeue_true')).toContain('\thi\t');
      expect(await inV('-f', 'tsv', 'list', 'queues', 'name', 'messages')).toBe('name\tmessages\nmirrored\t0\nq\t1\n');
      await inV('purge', 'queue', 'name=q');
      const bindings = await inV('-f', 'tsv', 'list', 'bindings', 'source', 'properties_key');
      expect(bindings).toContain('e\ta.%23\n');
      await inV('delete', 'binding', 'source=e', 'destination_type=queue', 'destination=q', 'properties_key=a.%23');
      for (const kind of [
        'connections',
        'channels',
        'consumers',
        'nodes',
        'exchanges',
        'users',
        'vhosts',
        'permissions',
      ]) {
        await inV('list', kind);
      }
      for (const kind of ['policies', 'operator_policies', 'parameters', 'vhost_limits']) {
        expect(await inV('-f', 'tsv', 'list', kind)).toContain('v');
      }
      expect(await admin('show', 'overview')).toContain('4.1.0');
      await inV('delete', 'queue', 'name=mirrored');
      await inV('delete', 'exchange', 'name=e');
      await inV('delete', 'policy', 'name=p');
      await admin('delete', 'user', 'name=u');
      await expect(admin('delete', 'user', 'name=u')).rejects.toThrow(/Not found/);
    });

    test('exports and imports', async () => {
      await admin('export', 'definitions.json');
      const file = JSON.parse(readFileSync(join(directory, 'definitions.json'), 'utf8'));
      expect(file.queues.map(({ name }: { name: string }) => name)).toEqual(['q']);
      await admin('delete', 'vhost', 'name=v');
      await admin('import', 'definitions.json');
      expect((await fixture.get('/api/queues/v/q')).json.arguments).toEqual({ 'x-max-length': 10 });
      expect((await fixture.get('/api/vhost-limits/v')).json).toEqual([{ vhost: 'v', value: { 'max-queues': 10 } }]);
    });
  },
);
