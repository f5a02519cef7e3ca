import { createSimPlatform } from '@chapar/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Binding } from './binding.js';
import { exchangeTypes } from './exchange-types.js';
import type { Subject } from './router.js';

const { random } = createSimPlatform(1);
const nothing: Subject = { headers: {}, property: () => undefined };
const binding = (routingKey: string): Binding => ({ routingKey, arguments: {} }) as Binding;
const anyKey = fc.constantFrom('', 'a', 'b', 'a.b', '#', '*', '__proto__', 'constructor');

/** Whether a binding key fits a routing key, where headers do not decide. */
const rules: { readonly [type: string]: (bound: string, key: string) => boolean } = {
  direct: (bound, key) => bound === key,
  fanout: () => true,
};

describe('routers', () => {
  for (const [name, fits] of Object.entries(rules)) {
    it(`${name}: every binding that fits, once, as they come and go`, () => {
      const steps = fc.array(fc.tuple(fc.boolean(), anyKey), { maxLength: 40 });
      fc.assert(
        fc.property(steps, (list) => {
          const router = exchangeTypes.get(name)!.create({}, random);
          let bindings: Binding[] = [];
          for (const [isAdded, key] of list) {
            const known = bindings.find(({ routingKey }) => routingKey === key);
            if (isAdded) {
              // Several bindings have one key when they lead to several queues.
              bindings.push(binding(key));
              router.add(bindings.at(-1)!);
            } else {
              router.remove(known ?? binding(key));
              bindings = bindings.filter((each) => each !== known);
            }
            const found: Binding[] = [];
            router.route(key, nothing, (each) => found.push(each));
            expect(new Set(found)).toEqual(new Set(bindings.filter(({ routingKey }) => fits(routingKey, key))));
            expect(new Set(found).size).toBe(found.length);
          }
        }),
        { numRuns: 300, seed: 5 },
      );
    });
  }

  it('say of which of them a route may be remembered by its key', () => {
    const args = { 'x-delayed-type': 'headers' };
    const decidedBy = [...exchangeTypes.values()].map((type) => [type.name, type.create(args, random).decidesBy]);
    expect(Object.fromEntries(decidedBy)).toEqual({
      direct: 'routing-key',
      fanout: 'routing-key',
      topic: 'routing-key',
      headers: 'message',
      'x-consistent-hash': 'routing-key',
      'x-modulus-hash': 'routing-key',
      'x-random': 'message',
      'x-delayed-message': 'message',
    });
  });
});
