import { expect, test } from 'vitest';
import { NodeRandom } from './random.js';

test('bytes are of the wanted number and never the same again, over many pools', () => {
  const random = new NodeRandom();
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const bytes = random.bytes(16 + (i % 17));
    expect(bytes).toHaveLength(16 + (i % 17));
    seen.add(bytes.toString('hex', 0, 16));
  }
  expect(seen.size).toBe(2000);
  expect(random.bytes(10_000)).toHaveLength(10_000);
  expect(random.bytes(0)).toHaveLength(0);
});

test('what was given stays as it is', () => {
  const random = new NodeRandom();
  const bytes = random.bytes(16);
  const text = bytes.toString('hex');
  for (let i = 0; i < 1000; i++) random.bytes(16);
  expect(bytes.toString('hex')).toBe(text);
});
