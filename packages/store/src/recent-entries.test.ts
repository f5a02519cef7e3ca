import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { RecentEntries, RecentShelf } from './recent-entries.js';
import { readFormHead } from './replica-form.js';

const KiB = 1024;

/** Messages are told apart by how long they are. */
function add(recent: RecentEntries, position: number, bodyBytes: number): void {
  recent.add(position, makeMessage({ body: 'x'.repeat(bodyBytes) }), null);
}

describe('the last messages of a log', () => {
  it('are found as they were added, one after the other or not, whatever was cut and replaced in between', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 40 * KiB }) }),
      fc.record({ cut: fc.nat({ max: 10 }) }),
      fc.record({ forget: fc.nat({ max: 10 }) }),
      fc.record({ read: fc.nat({ max: 10 }), count: fc.nat({ max: 5 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const recent = new RecentEntries(new RecentShelf());
        const model: (number | null)[] = [];
        for (const each of steps) {
          if ('add' in each) {
            model.push(each.add);
            add(recent, model.length, each.add);
          } else if ('cut' in each) {
            model.length = Math.max(0, model.length - each.cut);
            recent.cut(model.length);
          } else if ('forget' in each) {
            const position = model.length - each.forget;
            if (position < 1) continue;
            model[position - 1] = null;
            recent.forget(position);
          } else {
            const first = Math.max(1, model.length - each.read);
            for (let position = first; position <= first + each.count; position++) {
              const entry = recent.get(position);
              const found = entry === null ? null : readFormHead(entry.bytes as Buffer).bodyBytes;
              expect([entry?.position ?? position, found]).toEqual([position, model[position - 1] ?? null]);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are not those that were cut while somebody was reading', () => {
    const recent = new RecentEntries(new RecentShelf());
    for (let position = 1; position <= 5; position++) add(recent, position, 100);
    expect(recent.get(2)?.position).toBe(2);
    recent.cut(0);
    for (let position = 1; position <= 5; position++) add(recent, position, 200);
    expect(readFormHead(recent.get(3)!.bytes as Buffer).bodyBytes).toBe(200);
  });

  it('are let go of when there are too many, the first ones first, while somebody reads on', () => {
    const recent = new RecentEntries(new RecentShelf());
    for (let position = 1; position <= 3000; position++) {
      add(recent, position, KiB);
      if (position > 100) expect(recent.get(position - 100)?.position).toBe(position - 100);
    }
    expect(recent.get(1)).toBeNull();
    expect(recent.get(2999)?.position).toBe(2999);
  });
});
