import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../main.js';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}
type Answer = { readonly status?: number; readonly body?: unknown };

let server: Server;
let url: string;
let directory: string;
let asked: Asked[];
let answers: Record<string, Answer | (() => Answer)>;

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-cli-'));
  asked = [];
  answers = {};
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const text = Buffer.concat(chunks).toString();
      asked.push({
        method,
        path,
        authorization: headers.authorization,
        body: text === '' ? undefined : JSON.parse(text),
      });
      const given = answers[`${method} ${path}`] ?? { status: 204 };
      const { status = 200, body } = typeof given === 'function' ? given() : given;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

/** Runs `chapar` in this process. */
async function chapar(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  let out = '';
  let err = '';
  const before = process.exitCode;
  process.exitCode = 0;
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    await main(args);
    return { out, err, code: Number(process.exitCode ?? 0) };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
    process.exitCode = before;
  }
}
const asGuest = (...args: string[]) => chapar(...args, '--url', url, '--user', 'guest:gu:est');

describe('finding the broker', () => {
  test('the token file of the data directory', async () => {
    writeFileSync(path.join(directory, 'management.token'), JSON.stringify({ url, token: 'abc' }));
    answers['GET /api/queues'] = { body: [] };
    expect((await chapar('list', 'queues', '--data-dir', directory)).code).toBe(0);
    expect(asked[0]?.authorization).toBe('Bearer abc');
  });

  test('--url and --user with a password in it', async () => {
    answers['GET /api/queues'] = { body: [] };
    await asGuest('list', 'queues');
    expect(asked[0]?.authorization).toBe(`Basic ${Buffer.from('guest:gu:est').toString('base64')}`);
  });

  test.each([
    [[], 1, 'no broker has run with the data directory', '--data-dir DIR'],
    [['--url', 'ftp://x', '--user', 'a:b'], 2, "'ftp://x' is not an address", 'http://HOST:PORT'],
    [['--url', 'http://127.0.0.1:1', '--user', 'a:b'], 1, 'no broker answers at http://127.0.0.1:1', 'npm start'],
  ])('%j', async (options, code, cause, wayOut) => {
    const { err, ...result } = await chapar('list', 'queues', '--data-dir', directory, ...options);
    expect(result.code).toBe(code);
    expect(err).toContain(`chapar: ${cause}`);
    expect(err).toContain(wayOut);
  });

  test('a token file that is none', async () => {
    writeFileSync(path.join(directory, 'management.token'), 'nonsense');
    expect((await chapar('list', 'queues', '--data-dir', directory)).err).toContain('is not a token file');
  });
});

describe('what the broker refuses is told in words', () => {
  test.each([
    [401, { error: 'not_authorised', reason: 'Login failed' }, 'the broker refused the login: Login failed', 'guest'],
    [
      403,
      { error: 'not_authorised', reason: 'Not administrator' },
      'may not do that: Not administrator',
      'chapar user tags',
    ],
    [404, { error: 'Object Not Found', reason: 'Not Found' }, "there is no queue 'a b' in virtual host '/'", '--vhost'],
    [400, { error: 'bad_request', reason: "inequivalent arg 'durable'" }, "inequivalent arg 'durable'", ''],
    [500, undefined, 'the broker answered 500 to DELETE /api/queues/%2F/a%20b', ''],
  ])('%s %j', async (status, body, cause, wayOut) => {
    answers['DELETE /api/queues/%2F/a%20b'] = { status, body };
    const { err, out, code } = await asGuest('delete', 'queue', 'a b');
    expect({ out, code }).toEqual({ out: '', code: 1 });
    expect(err).toContain(cause);
    expect(err).toContain(wayOut);
  });
});

test('a session that is not there', async () => {
  answers['DELETE /api/mqtt/sessions/%2F/a%2Fb'] = { status: 404, body: { reason: 'Not Found' } };
  expect((await asGuest('delete', 'session', 'a/b')).err).toContain("there is no session 'a/b' in virtual host '/'");
});

test('sessions of MQTT are listed from where the API has them', async () => {
  answers['GET /api/mqtt/sessions'] = { body: [{ vhost: '/', client_id: 'sensor', user: 'guest', connected: false }] };
  const { out, code } = await asGuest('list', 'sessions');
  expect(code).toBe(0);
  expect(out).toContain('sensor');
});

describe('list', () => {
  const queues = [
    {
      vhost: '/',
      name: 'a\x1b[31m\nb',
      messages: 5,
      durable: true,
      arguments: { 'x-max-length': 3 },
      totals: { ready: 4 },
    },
    { vhost: 'v', name: 'c', messages: 0, durable: false, arguments: {}, totals: { ready: 0 } },
  ];
  beforeEach(() => {
    answers['GET /api/queues'] = { body: queues };
  });

  test('a table whose cells cannot move the cursor', async () => {
    const { out } = await asGuest('list', 'queues', '--columns', 'vhost,name,messages,durable,arguments,totals.ready');
    expect(out).toBe(
      [
        'vhost  name            messages  durable  arguments       totals.ready',
        '-----  --------------  --------  -------  --------------  ------------',
        '/      a\\x1b[31m\\x0ab  5         yes      x-max-length=3  4',
        'v      c               0         no                       0',
        '',
      ].join('\n'),
    );
  });

  test('one virtual host; JSON with the fields that were asked for; tabs', async () => {
    expect(JSON.parse((await asGuest('list', 'queues', '-p', 'v', '--format', 'json')).out)).toEqual([queues[1]]);
    expect(JSON.parse((await asGuest('list', 'queues', '--columns', 'name', '--format', 'json')).out)).toEqual([
      { name: queues[0]?.name },
      { name: 'c' },
    ]);
    expect((await asGuest('list', 'queues', '-p', 'v', '--format', 'tsv', '--columns', 'name,messages')).out).toBe(
      'name\tmessages\nc\t0\n',
    );
  });

  test('consumers carry their virtual host in the queue', async () => {
    answers['GET /api/consumers'] = {
      body: [{ queue: { vhost: 'v', name: 'q' } }, { queue: { vhost: '/', name: 'r' } }],
    };
    expect((await asGuest('list', 'consumers', '-p', 'v', '--columns', 'queue.name', '--format', 'tsv')).out).toBe(
      'queue.name\nq\n',
    );
  });

  test("an unknown kind or format is the command line's fault", async () => {
    expect((await asGuest('list', 'queue')).code).toBe(2);
    expect((await asGuest('list', 'queues', '--format', 'xml')).code).toBe(2);
    expect(asked).toEqual([]);
  });
});

describe('declare and delete', () => {
  test.each([
    [
      ['declare', 'queue', 'q', '--argument', 'x-max-length=5', '--argument', 'x-queue-mode=lazy', '--auto-delete'],
      'PUT',
      '/api/queues/%2F/q',
      { durable: true, auto_delete: true, arguments: { 'x-max-length': 5, 'x-queue-mode': 'lazy' } },
    ],
    [
      ['declare', 'queue', 'q', '--no-durable', '-p', 'v/w'],
      'PUT',
      '/api/queues/v%2Fw/q',
      { durable: false, auto_delete: false, arguments: {} },
    ],
    [
      ['declare', 'queue', 'q', '--durable'],
      'PUT',
      '/api/queues/%2F/q',
      { durable: true, auto_delete: false, arguments: {} },
    ],
    [
      ['declare', 'exchange', 'e', '--type', 'topic', '--internal'],
      'PUT',
      '/api/exchanges/%2F/e',
      { type: 'topic', durable: true, auto_delete: false, internal: true, arguments: {} },
    ],
    [
      ['declare', 'binding', 'e', 'f', '--to', 'exchange', '--routing-key', 'a.#', '--argument', 'x-match=any'],
      'POST',
      '/api/bindings/%2F/e/e/e/f',
      { routing_key: 'a.#', arguments: { 'x-match': 'any' } },
    ],
    [['declare', 'vhost', 'v', '--description', 'd'], 'PUT', '/api/vhosts/v', { description: 'd' }],
    [
      ['declare', 'policy', 'p', '--pattern', '^a', '--definition', '{"max-length": 5}', '--priority', '2'],
      'PUT',
      '/api/policies/%2F/p',
      { pattern: '^a', definition: { 'max-length': 5 }, priority: 2, 'apply-to': 'all' },
    ],
    [
      ['declare', 'operator-policy', 'p', '-p', 'v', '--pattern', '', '--definition', '{"expires": 5}'],
      'PUT',
      '/api/operator-policies/v/p',
      { pattern: '', definition: { expires: 5 }, priority: 0, 'apply-to': 'all' },
    ],
    [['delete', 'operator-policy', 'p'], 'DELETE', '/api/operator-policies/%2F/p', undefined],
    [
      ['declare', 'vhost', 'v', '--default-queue-type', 'quorum'],
      'PUT',
      '/api/vhosts/v',
      { default_queue_type: 'quorum' },
    ],
    [
      ['declare', 'parameter', 'c', 'n', '{"a": 1}'],
      'PUT',
      '/api/parameters/c/%2F/n',
      { component: 'c', name: 'n', vhost: '/', value: { a: 1 } },
    ],
    [
      ['delete', 'queue', 'q', '--if-empty', '--if-unused'],
      'DELETE',
      '/api/queues/%2F/q?if-empty=true&if-unused=true',
      undefined,
    ],
    [
      ['delete', 'connection', '127.0.0.1:5 -> 127.0.0.1:6'],
      'DELETE',
      '/api/connections/127.0.0.1%3A5%20-%3E%20127.0.0.1%3A6',
      undefined,
    ],
    [['delete', 'session', 'a/b', '-p', 'v'], 'DELETE', '/api/mqtt/sessions/v/a%2Fb', undefined],
    [['purge', 'q'], 'DELETE', '/api/queues/%2F/q/contents', undefined],
    [['purge', '--delayed', 'later', '-p', 'v'], 'DELETE', '/api/exchanges/v/later/delayed', undefined],
    [
      ['permissions', 'set', 'u', '--configure', '^a'],
      'PUT',
      '/api/permissions/%2F/u',
      { configure: '^a', write: '.*', read: '.*' },
    ],
    [['permissions', 'clear', 'u', '-p', 'v'], 'DELETE', '/api/permissions/v/u', undefined],
    [
      ['user', 'add', 'u', '--password', 'p', '--tags', 'management'],
      'PUT',
      '/api/users/u',
      { password: 'p', tags: 'management' },
    ],
    [['user', 'delete', 'u'], 'DELETE', '/api/users/u', undefined],
  ] as [string[], string, string, unknown][])('%j', async (args, method, path, body) => {
    const { out, err, code } = await asGuest(...args);
    expect({ err, code }).toEqual({ err: '', code: 0 });
    expect(out).not.toBe('');
    expect(asked.map((request) => [request.method, request.path, request.body])).toEqual([[method, path, body]]);
  });

  test('a binding is deleted by its key, with whatever arguments', async () => {
    const list = ['a', 'a~x', 'b'].map((key) => ({ routing_key: key[0], properties_key: key }));
    answers['GET /api/bindings/%2F/e/e/q/q'] = { body: list };
    expect((await asGuest('delete', 'binding', 'e', 'q', '--routing-key', 'a')).code).toBe(0);
    expect(asked.slice(1).map(({ path }) => path)).toEqual([
      '/api/bindings/%2F/e/e/q/q/a',
      '/api/bindings/%2F/e/e/q/q/a~x',
    ]);
    expect((await asGuest('delete', 'binding', 'e', 'q', '--routing-key', 'zz')).err).toContain(
      "is not bound to exchange 'e' with routing key 'zz'",
    );
  });

  test.each([
    [['declare', 'queue', 'q', '--argument', 'x'], "'x' is not NAME=VALUE"],
    [['declare', 'policy', 'p', '--pattern', 'a', '--definition', '{a}'], '--definition is not JSON'],
    [
      ['declare', 'policy', 'p', '--pattern', 'a', '--definition', '{}', '--priority', 'high'],
      '--priority is not JSON',
    ],
    [['declare', 'queue'], "missing required argument 'name'"],
    [['get', 'q', '--count', '0'], 'A whole number from 1 up'],
  ])("%j is the command line's fault", async (args, part) => {
    const { err, code } = await asGuest(...args);
    expect(code).toBe(2);
    expect(err).toContain(part);
    expect(asked).toEqual([]);
  });
});

describe('messages', () => {
  test('publish tells whether it was routed', async () => {
    const path = 'POST /api/exchanges/%2F/amq.default/publish';
    answers[path] = { body: { routed: true } };
    const args = [
      'publish',
      'hello',
      '--routing-key',
      'q',
      '--property',
      'delivery_mode=2',
      '--header',
      'n=5',
      '--header',
      's=a=b',
    ];
    expect(await asGuest(...args)).toEqual({ out: 'published and routed\n', err: '', code: 0 });
    expect(asked[0]?.body).toEqual({
      properties: { delivery_mode: 2, headers: { n: 5, s: 'a=b' } },
      routing_key: 'q',
      payload: 'hello',
      payload_encoding: 'string',
    });
    answers[path] = { body: { routed: false } };
    expect(await asGuest(...args)).toMatchObject({ out: '', code: 1 });
  });

  test('get leaves messages where they are unless --ack', async () => {
    answers['POST /api/queues/%2F/q/get'] = {
      body: [{ exchange: '', routing_key: 'q', redelivered: false, payload_bytes: 1, payload: 'x', properties: {} }],
    };
    expect((await asGuest('get', 'q')).out).toMatch(/q {12}no +1 +x/);
    await asGuest('get', 'q', '--ack', '--count', '3');
    expect(asked.map(({ body }) => body)).toEqual([
      { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' },
      { count: 3, ackmode: 'ack_requeue_false', encoding: 'auto' },
    ]);
    answers['POST /api/queues/%2F/q/get'] = { body: [] };
    expect((await asGuest('get', 'q')).out).toBe("queue 'q' has no ready message\n");
    expect((await asGuest('get', 'q', '--format', 'json')).out).toBe('[]\n');
  });
});

describe('users', () => {
  test('new tags keep the password, a new password the tags', async () => {
    answers['GET /api/users/u'] = {
      body: { name: 'u', password_hash: 'h', hashing_algorithm: 'alg', tags: ['monitoring', 'x'] },
    };
    await asGuest('user', 'tags', 'u', 'management', 'policymaker');
    writeFileSync(path.join(directory, 'pw'), 'new one\n');
    await asGuest('user', 'password', 'u', '--password-file', path.join(directory, 'pw'));
    expect(asked.filter(({ method }) => method === 'PUT').map(({ body }) => body)).toEqual([
      { password_hash: 'h', hashing_algorithm: 'alg', tags: 'management,policymaker' },
      { password: 'new one', tags: 'monitoring,x' },
    ]);
  });

  test('permissions of one user', async () => {
    answers['GET /api/permissions'] = {
      body: ['a', 'b'].map((user) => ({ user, vhost: '/', configure: '', write: '', read: '.*' })),
    };
    expect((await asGuest('permissions', 'list', 'b', '--format', 'tsv')).out).toBe(
      'vhost\tuser\tconfigure\twrite\tread\n/\tb\t\t\t.*\n',
    );
  });
});

describe('definitions', () => {
  test('export to a file that only its owner reads, and import from it', async () => {
    const definitions = { users: [{ name: 'u' }], queues: [], exchanges: [{}, {}] };
    answers['GET /api/definitions'] = { body: definitions };
    const file = path.join(directory, 'defs.json');
    expect((await asGuest('definitions', 'export', file)).out).toContain('1 users, 2 exchanges');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(definitions);
    expect((await asGuest('definitions', 'import', file, '-p', 'v')).code).toBe(0);
    expect(asked.at(-1)).toMatchObject({ method: 'POST', path: '/api/definitions/v', body: definitions });
    expect(JSON.parse((await asGuest('definitions', 'export')).out)).toEqual(definitions);
  });

  test.each([
    ['{', 'cannot be imported'],
    ['[]', 'is not a definitions file'],
  ])('a file that holds %s', async (text, part) => {
    writeFileSync(path.join(directory, 'bad'), text);
    expect((await asGuest('definitions', 'import', path.join(directory, 'bad'))).err).toContain(part);
    expect(asked).toEqual([]);
  });
});

describe('status', () => {
  const overview = {
    product_name: 'Chapar',
    chapar_version: '0.1.0',
    node: 'a@b',
    cluster_name: 'c',
    listeners: [
      { protocol: 'amqp', ip_address: '::', port: 5672 },
      { protocol: 'http', ip_address: '127.0.0.1', port: 15672 },
    ],
    object_totals: { queues: 3 },
    queue_totals: { messages: 5, messages_ready: 2, messages_unacknowledged: 3 },
  };

  test('in words', async () => {
    answers['GET /api/overview'] = { body: overview };
    const { out } = await asGuest('status');
    for (const part of [
      'Chapar 0.1.0',
      'a@b',
      'amqp [::]:5672, http 127.0.0.1:15672',
      '3 queues',
      '5 (2 ready, 3 unacknowledged)',
    ])
      expect(out).toContain(part);
  });

  test('--wait returns when the broker is ready, although its token file comes late', async () => {
    let polls = 0;
    answers['GET /health/ready'] = () => (++polls < 3 ? { status: 503, body: { reason: 'recovering' } } : { body: {} });
    answers['GET /api/overview'] = { body: overview };
    const dataDir = path.join(directory, 'late');
    setTimeout(() => {
      mkdirSync(dataDir);
      writeFileSync(path.join(dataDir, 'management.token'), JSON.stringify({ url, token: 't' }));
    }, 300);
    expect((await chapar('status', '--wait', '--data-dir', dataDir)).code).toBe(0);
    expect(polls).toBe(3);
    expect(asked.find((request) => request.path === '/health/ready')?.authorization).toBeUndefined();
  });

  test('--wait gives up, and says what was missing', async () => {
    answers['GET /health/ready'] = { status: 503, body: { reason: 'recovering' } };
    const { err, code } = await chapar('status', '--wait', '--timeout', '1', '--url', url, '--user', 'a:b');
    expect(code).toBe(1);
    expect(err).toContain('not ready within 1 s');
    expect(err).toContain('recovering');
  });
});

test('purge asks for a queue or an exchange, and not for both', async () => {
  for (const args of [[], ['q', '--delayed', 'later']]) {
    const { err, code } = await asGuest('purge', ...args);
    expect([code, err]).toEqual([2, expect.stringContaining('name a queue, or an exchange with --delayed.')]);
  }
  expect(asked).toEqual([]);
});
