import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import type { Arguments } from '../arguments.js';
import type { Binding } from './binding.js';
import { consistentHashType } from './consistent-hash.js';
import { modulusHashType } from './modulus-hash.js';
import { randomType } from './random.js';
import type { ExchangeType, Router, Subject } from './router.js';

const nothing: Subject = { headers: {}, property: () => undefined };

const bindingTo = (name: string, routingKey = '1', args: Arguments = {}): Binding =>
  ({ routingKey, arguments: args, destination: { kind: 'queue', name } }) as unknown as Binding;

const make = (type: ExchangeType, args: Arguments = {}, seed = 1): Router =>
  type.create(args, createSimPlatform(seed).random);

/** The destination that a message goes to; there must be one at most. */
function chosen(router: Router, key: string, subject: Subject = nothing): string | undefined {
  const found: string[] = [];
  router.route(key, subject, ({ destination }) => found.push(destination.name));
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0];
}

const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `order.${i}`);

function counts(router: Router, list: readonly string[]): { [name: string]: number } {
  const result: { [name: string]: number } = {};
  for (const key of list) {
    const name = chosen(router, key)!;
    result[name] = (result[name] ?? 0) + 1;
  }
  return result;
}

/** Within five standard deviations of what chance allows. */
function expectShare(count: number, share: number, total: number): void {
  expect(Math.abs(count - share * total)).toBeLessThan(5 * Math.sqrt(total * share * (1 - share)));
}

describe('x-consistent-hash', () => {
  const weights = { q1: 1, q2: 2, 'orders.3': 3, 'orders.4': 4 };
  const weighted = (): Router => {
    const router = make(consistentHashType);
    for (const [name, weight] of Object.entries(weights)) router.add(bindingTo(name, String(weight)));
    return router;
  };

  it('shares keys out by weight', () => {
    const found = counts(weighted(), keys(20_000));
    for (const [name, weight] of Object.entries(weights)) expectShare(found[name]!, weight / 10, 20_000);
  });

  it('shares out evenly among many queues whose names differ little', () => {
    const router = make(consistentHashType);
    for (let i = 0; i < 50; i++) router.add(bindingTo(`shard-${i}`));
    const found = counts(router, keys(50_000));
    for (let i = 0; i < 50; i++) expectShare(found[`shard-${i}`]!, 1 / 50, 50_000);
  });

  it('sends a key to the same destination, whatever the order in which they were bound', () => {
    const other = make(consistentHashType);
    for (const [name, weight] of Object.entries(weights).reverse()) other.add(bindingTo(name, String(weight)));
    const router = weighted();
    for (const key of keys(500)) expect(chosen(other, key)).toBe(chosen(router, key));
  });

  it('moves keys to a destination that comes, and from one that goes, and no other', () => {
    const router = weighted();
    const before = new Map(keys(5_000).map((key) => [key, chosen(router, key)]));
    const comer = bindingTo('q5', '5');
    router.add(comer);
    let moved = 0;
    for (const [key, name] of before) {
      const now = chosen(router, key);
      if (now === name) continue;
      expect(now).toBe('q5');
      moved++;
    }
    expectShare(moved, 5 / 15, 5_000);
    router.remove(comer);
    for (const [key, name] of before) expect(chosen(router, key)).toBe(name);
    router.remove(bindingTo('never', '3'));
    for (const [key, name] of before) expect(chosen(router, key)).toBe(name);
  });

  it('adds the weights of several bindings of one destination, and moves keys to it alone', () => {
    const router = weighted();
    const before = new Map(keys(20_000).map((key) => [key, chosen(router, key)]));
    router.add(bindingTo('q1', '10'));
    let now = 0;
    for (const [key, name] of before) {
      const found = chosen(router, key);
      if (found === 'q1') now++;
      else expect(found).toBe(name);
    }
    expectShare(now, 11 / 20, 20_000);
  });

  it('takes a weight of any size, and forgets a destination with its last binding', () => {
    const router = make(consistentHashType);
    const [large, small] = [bindingTo('large', '999999999999999'), bindingTo('small')];
    router.add(large);
    router.add(small);
    expect(counts(router, keys(1_000))).toEqual({ large: 1_000 });
    router.remove(large);
    router.remove(large);
    expect(counts(router, keys(10))).toEqual({ small: 10 });
    router.remove(small);
    expect(chosen(router, 'a')).toBeUndefined();
  });

  it('hashes a header or a property where it is told to', () => {
    const ofHeader = (value: Arguments[string]): Subject => ({ headers: { user: value }, property: () => undefined });
    const byHeader = make(consistentHashType, { 'hash-header': 'user' });
    const byProperty = make(consistentHashType, { 'hash-property': 'message_id' });
    for (const router of [byHeader, byProperty]) {
      expect(router.decidesBy).toBe('message');
      for (let i = 0; i < 8; i++) router.add(bindingTo(`q${i}`));
    }
    const found = new Set<string | undefined>();
    for (const key of keys(200)) {
      const name = chosen(byHeader, key, ofHeader(`user ${key}`));
      expect(chosen(byHeader, 'another', ofHeader(`user ${key}`))).toBe(name);
      const withProperty: Subject = { headers: {}, property: (asked) => (asked === 'message_id' ? key : undefined) };
      expect(chosen(byProperty, 'x', withProperty)).toBe(chosen(byProperty, 'y', withProperty));
      found.add(name);
    }
    expect(found.size).toBe(8);
    // Without it they go one way together.
    expect(new Set(keys(50).map((key) => chosen(byHeader, key))).size).toBe(1);
    expect(chosen(byHeader, '', ofHeader({ a: 1, b: 2 }))).toBe(chosen(byHeader, '', ofHeader({ b: 2, a: 1 })));
  });

  it('knows what can be a weight', () => {
    for (const key of ['1', '20', '+3', '007']) expect(consistentHashType.invalidBinding!(key, {}, {})).toBeNull();
    for (const key of ['', '0', '-1', '1.5', 'a', '1e3', ' 1', '9'.repeat(16)]) {
      expect(consistentHashType.invalidBinding!(key, {}, {})).toEqual({
        argument: 'routing_key',
        reason: `expected the weight of the binding, an integer from 1 up in text, got '${key}'`,
      });
    }
  });

  it('knows what it can be declared with', () => {
    const fault = (args: Arguments) => consistentHashType.invalidArguments!(args)?.argument ?? null;
    expect(fault({})).toBeNull();
    expect(fault({ 'hash-header': 'h' })).toBeNull();
    for (const name of ['correlation_id', 'message_id', 'timestamp'])
      expect(fault({ 'hash-property': name })).toBeNull();
    expect(fault({ 'hash-property': 'app_id' })).toBe('hash-property');
    expect(fault({ 'hash-header': 1 })).toBe('hash-header');
    expect(fault({ 'hash-header': 'h', 'hash-property': 'timestamp' })).toBe('hash-property');
  });

  it('leads keys where every version has led them', () => {
    const router = weighted();
    expect(keys(8).map((key) => chosen(router, key))).toMatchInlineSnapshot(`
      [
        "orders.3",
        "orders.4",
        "q2",
        "q2",
        "orders.3",
        "orders.4",
        "orders.4",
        "q1",
      ]
    `);
  });
});

describe('x-modulus-hash', () => {
  it('shares keys out evenly and sends each the same way, whatever the order in which they were bound', () => {
    const [router, other] = [make(modulusHashType), make(modulusHashType)];
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) router.add(bindingTo(name));
    for (const name of names.toReversed()) other.add(bindingTo(name, 'whatever'));
    // A second binding of one gives it no second part.
    router.add(bindingTo('a', '2'));
    const found = counts(router, keys(10_000));
    for (const name of names) expectShare(found[name]!, 1 / 4, 10_000);
    for (const key of keys(200)) expect(chosen(other, key)).toBe(chosen(router, key));
  });

  it('leads nowhere without a binding', () => {
    const router = make(modulusHashType);
    const binding = bindingTo('a');
    router.add(binding);
    router.remove(bindingTo('a'));
    expect(chosen(router, 'k')).toBe('a');
    router.remove(binding);
    expect(chosen(router, 'k')).toBeUndefined();
  });
});

describe('x-random', () => {
  it('gives each destination the same chance, however often it is bound', () => {
    const router = make(randomType);
    for (const name of ['a', 'b', 'c']) router.add(bindingTo(name));
    router.add(bindingTo('a', '2'));
    const found = counts(
      router,
      Array.from({ length: 9_000 }, () => 'the same key'),
    );
    for (const name of ['a', 'b', 'c']) expectShare(found[name]!, 1 / 3, 9_000);
  });

  it('draws from the randomness it is given', () => {
    const drawn = (seed: number) => {
      const router = make(randomType, {}, seed);
      for (const name of ['a', 'b', 'c']) router.add(bindingTo(name));
      return keys(30).map((key) => chosen(router, key));
    };
    expect(drawn(1)).toEqual(drawn(1));
    expect(drawn(1)).not.toEqual(drawn(2));
    expect(chosen(make(randomType), 'k')).toBeUndefined();
  });
});
