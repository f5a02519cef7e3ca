import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Fixture, startFixture } from './compose.js';

const certificates = new URL('../../packages/platform/src/node/fixtures/', import.meta.url);
const file = (name: string) => new URL(name, certificates).pathname;
const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture.close());

test('serves on the address it is given, and no longer once closed', async () => {
  const { address, port } = await fixture.management.listen('127.0.0.1', 0, null);
  expect(address).toBe('127.0.0.1');
  const url = `http://127.0.0.1:${port}`;
  // guest may come from this machine, which the socket tells.
  expect((await fetch(`${url}/api/whoami`, { headers: { authorization } })).status).toBe(200);
  await fixture.management.close();
  await expect(fetch(`${url}/health/live`)).rejects.toThrow();
});

test('a port that is taken is the system’s error', async () => {
  const { port } = await fixture.management.listen('127.0.0.1', 0, null);
  await expect(fixture.management.listen('127.0.0.1', port, null)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('TLS', async () => {
  const tls = { certFile: file('server.pem'), keyFile: file('server.key.pem'), clientCertificate: 'none' } as const;
  const { port } = await fixture.management.listen('127.0.0.1', 0, tls);
  const agent = new Agent({ ca: readFileSync(file('ca.pem')), checkServerIdentity: () => undefined });
  const status = await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/health/live', agent }, ({ statusCode }) => resolve(statusCode))
      .on('error', reject)
      .end();
  });
  agent.destroy();
  expect(status).toBe(200);
});

test('a reader that does not read does not hold up the end', async () => {
  for (let i = 0; i < 3000; i++) await fixture.put(`/api/queues/%2F/q${i}`);
  const { port } = await fixture.management.listen('127.0.0.1', 0, null);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.pause();
  socket.write(`GET /api/queues HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startedMs = performance.now();
  await fixture.management.close();
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  socket.destroy();
});

test('another site’s page cannot change anything', async () => {
  const answer = await fixture.management.inject({
    method: 'POST',
    url: '/api/users/bulk-delete',
    headers: { authorization, 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' },
    payload: '{"users":["guest"]}',
  });
  expect(answer.statusCode).toBe(403);
  expect((await fixture.get('/api/whoami')).status).toBe(200);
});
