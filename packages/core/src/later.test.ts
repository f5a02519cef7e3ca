import { describe, expect, it } from 'vitest';
import { andThen } from './later.js';

describe('andThen', () => {
  it('goes on at once with a value, and later with a promise', async () => {
    expect(andThen(1, (n) => n + 1)).toBe(2);
    const later = andThen(Promise.resolve(1), (n) => n + 1);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe(2);
    expect(await andThen(1, (n) => Promise.resolve(n + 1))).toBe(2);
    await expect(andThen(Promise.reject<number>(new Error('no')), (n) => n)).rejects.toThrow('no');
  });

  it('leaves the package importable: a module that exports `then` is taken for a promise', async () => {
    const core = await import('./index.js');
    expect(core.andThen).toBe(andThen);
    expect(Object.keys(core)).not.toContain('then');
  });
});
