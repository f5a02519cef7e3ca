import { createNodePlatform } from '@chapar/platform';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HttpPorts } from './http-ports.js';

let ports: HttpPorts;
let url: string;
beforeEach(async () => {
  ports = new HttpPorts(createNodePlatform({ log: { level: 'silent' } }).clock);
  url = `http://127.0.0.1:${(await ports.listen('127.0.0.1', 0, null)).port}`;
});
afterEach(() => ports.close());

test('a node that starts lives, is not ready, and says what it waits for', async () => {
  ports.waitingFor = 'etcd cannot be used: no answer';
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  for (const path of ['/health/ready', '/api/overview', '/health/lively']) {
    const response = await fetch(url + path);
    expect(response.status, path).toBe(503);
    expect(await response.json()).toMatchObject({ reason: 'etcd cannot be used: no answer' });
  }
});

test('one that has started answers for itself, on the same port', async () => {
  expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(503);
  ports.serve((_request, response) => response.writeHead(204).end());
  expect((await fetch(url)).status).toBe(204);
});
