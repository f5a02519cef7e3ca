import { describe, expect, it } from 'vitest';
import { SteppedMetadata } from '../../../test/support/stepped-metadata.js';
import { Records } from './records.js';

async function open(metadata = new SteppedMetadata()): Promise<Records> {
  const records = new Records(metadata);
  await records.open();
  return records;
}

describe('records', () => {
  it('are put, found, listed by their first names, and deleted once', async () => {
    const records = await open();
    await records.put('policies', ['/', 'b'], { pattern: '.*' });
    await records.put('policies', ['/', 'a'], { pattern: 'a' });
    await records.put('policies', ['/x', 'a'], { pattern: 'x' });
    await records.put('operator-policies', ['/', 'a'], { pattern: 'o' });
    expect(records.get('policies', '/', 'a')).toEqual({ pattern: 'a' });
    expect(records.get('policies', '/', 'c')).toBeUndefined();
    const names = (...first: string[]) => records.list('policies', ...first).map((each) => each.names);
    expect(names('/')).toEqual([
      ['/', 'a'],
      ['/', 'b'],
    ]);
    expect(names()).toHaveLength(3);
    expect(await records.delete('policies', '/', 'a')).toBe(true);
    expect(await records.delete('policies', '/', 'a')).toBe(false);
    expect(names('/')).toEqual([['/', 'b']]);
  });

  it('are the same after a restart, and follow what others change', async () => {
    const metadata = new SteppedMetadata();
    const [one, two] = [await open(metadata), await open(metadata)];
    await one.put('parameters', ['component', 'a/b', 'n %'], [1, { x: null }]);
    await one.put('global-parameters', ['cluster_name'], 'c');
    await two.put('global-parameters', ['cluster_name'], 'd');
    for (const records of [one, two, await open(metadata)]) {
      expect(records.list('parameters')).toEqual([{ names: ['component', 'a/b', 'n %'], value: [1, { x: null }] }]);
      expect(records.get('global-parameters', 'cluster_name')).toBe('d');
    }
    await two.delete('global-parameters', 'cluster_name');
    expect(one.list('global-parameters')).toEqual([]);
  });
});
