import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import { NodeGauges } from './gauges.js';

it('sees this process and this machine', () => {
  const gauges = new NodeGauges();
  const heap = gauges.heap();
  expect(gauges.rssBytes()).toBeGreaterThan(10_000_000);
  expect(gauges.inUseBytes()).toBeLessThan(gauges.rssBytes());
  expect(gauges.inUseBytes()).toBeGreaterThan(1_000_000);
  expect(heap.usedBytes).toBeGreaterThan(1_000_000);
  expect(heap.limitBytes).toBeGreaterThan(heap.usedBytes);
  expect(gauges.memoryBytes()).toBeGreaterThan(gauges.rssBytes());
  expect(gauges.memoryBytes()).toBeLessThanOrEqual(totalmem());
});

it('frees what nobody needs any more', () => {
  const gauges = new NodeGauges();
  let garbage: object[] | null = Array.from({ length: 500_000 }, (_, i) => ({ i }));
  const full = gauges.heap().usedBytes;
  expect(garbage.length).toBe(500_000);
  garbage = null;
  gauges.collectGarbage();
  expect(gauges.heap().usedBytes).toBeLessThan(full - 5_000_000);
});
