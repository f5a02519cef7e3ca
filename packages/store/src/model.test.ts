import type { DropReason, LogStore, Position } from '@chapar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import type { RecoveredMessages } from '../../../test/contract/recovered.js';
import { SimStore } from '../../../test/contract/sim-store.js';

const queues = ['q0', 'q1', 'q2'];

type Command =
  | { readonly do: 'publish' | 'skip'; readonly queue: number; readonly bytes: number }
  | { readonly do: 'settle'; readonly queue: number; readonly at: number; readonly count: number }
  | { readonly do: 'pend' | 'returned'; readonly queue: number; readonly at: number }
  | { readonly do: 'flush' | 'sync' | 'stop' | 'kill' | 'crash' }
  | { readonly do: 'remove'; readonly queue: number }
  | { readonly do: 'wait'; readonly ms: number };

const queue = fc.nat(queues.length - 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('publish' as const), queue, bytes: fc.nat(600) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('skip' as const), queue, bytes: fc.constant(0) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      queue,
      at: fc.nat(30),
      count: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('pend' as const, 'returned' as const), queue, at: fc.nat(30) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('sync' as const, 'stop' as const, 'kill' as const, 'crash' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), queue }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(80) }) },
);

/** One queue as a plain list. */
class Model {
  readonly live = new Map<Position, string>();
  /** Everything that changed since the last sync was answered may be undone by a power cut. */
  readonly unsyncedPublishes = new Set<Position>();
  readonly unsyncedSettles = new Map<Position, string>();
  /** What was noted of live messages, and what of it may be undone. */
  readonly pending = new Map<Position, DropReason>();
  readonly unsyncedPending = new Set<Position>();
  readonly returns = new Map<Position, { count: number; synced: number }>();
  isRemoved = false;

  synced(): void {
    this.unsyncedPending.clear();
    for (const returned of this.returns.values()) returned.synced = returned.count;
    this.unsyncedPublishes.clear();
    this.unsyncedSettles.clear();
  }

  /** Holds what came back against what may come back, and goes on from it. */
  restart(found: ReadonlyMap<Position, string>, isClean: boolean): void {
    for (const [position, body] of found)
      expect(this.live.get(position) ?? this.unsyncedSettles.get(position)).toBe(body);
    for (const position of this.live.keys()) {
      if (isClean || !this.unsyncedPublishes.has(position)) expect(found.has(position)).toBe(true);
    }
    if (isClean) expect([...found.keys()]).toEqual([...this.live.keys()]);
    this.live.clear();
    for (const [position, body] of found) this.live.set(position, body);
  }

  restartMarks(found: Pick<RecoveredMessages, 'pending' | 'returns'>, isClean: boolean): void {
    const pending = new Map(found.pending.map(({ position, reason }) => [position, reason]));
    for (const [position, reason] of pending)
      expect([position, this.pending.get(position)]).toEqual([position, reason]);
    for (const position of this.pending.keys()) {
      if (!this.live.has(position)) continue;
      if (isClean || !this.unsyncedPending.has(position)) expect(pending.has(position)).toBe(true);
    }
    const returns = new Map(found.returns.map(({ position, count }) => [position, count]));
    for (const [position, { count, synced }] of this.returns) {
      if (!this.live.has(position)) continue;
      expect(returns.get(position) ?? 0).toBeGreaterThanOrEqual(isClean ? count : synced);
      expect(returns.get(position) ?? 0).toBeLessThanOrEqual(count);
    }
    for (const position of [...pending.keys(), ...returns.keys()]) expect(this.live.has(position)).toBe(true);
    this.pending.clear();
    this.returns.clear();
    for (const [position, reason] of pending) this.pending.set(position, reason);
    for (const [position, count] of returns) this.returns.set(position, { count, synced: count });
    this.synced();
  }
}

class Run {
  readonly node: SimStore;
  logs!: LogStore;
  models = new Map<string, Model>();
  private incarnations = [...queues];
  private bodies = 0;

  constructor(seed: number) {
    // Often, seldom, and never.
    const checkpoints = [
      { checkpointBytes: 1_000, stopCheckpointBytes: 500 },
      { checkpointBytes: 5_000, stopCheckpointBytes: 1 },
      {},
    ][seed % 3];
    this.node = new SimStore(seed, { wal: { fileBytesMax: 1_500, bytesMin: 4_000, liveFactor: 2, ...checkpoints } });
    this.node.platform.disk.delayMs.sync = 2;
  }

  async start(isClean: boolean): Promise<void> {
    const { logs, recovered } = await this.node.start();
    this.logs = logs;
    for (const incarnation of this.incarnations) {
      const found = recovered.find((queue) => queue.incarnation === incarnation);
      const messages = found?.messages ?? [];
      const bodies = new Map(messages.map(({ position, message }) => [position, message.body().toString()]));
      this.model(incarnation).restart(bodies, isClean);
      this.model(incarnation).restartMarks(found ?? { pending: [], returns: [] }, isClean);
    }
    expect(this.node.platform.log.find('', 'error')).toEqual([]);
  }

  async execute(command: Command): Promise<void> {
    switch (command.do) {
      case 'publish':
        return this.publish(this.incarnations[command.queue]!, command.bytes);
      case 'skip':
        this.logs.log(this.incarnations[command.queue]!).skip();
        return;
      case 'settle':
        return this.settle(this.incarnations[command.queue]!, command.at, command.count);
      case 'pend':
      case 'returned':
        return this.mark(command.do, this.incarnations[command.queue]!, command.at);
      case 'remove':
        return this.remove(command.queue);
      case 'flush':
        this.logs.flush();
        return;
      case 'wait':
        return this.node.advance(command.ms);
      case 'sync':
        await this.node.settle(this.logs.sync());
        for (const model of this.models.values()) model.synced();
        return;
      case 'stop':
        await this.node.stop();
        return this.start(true);
      default:
        this.node[command.do]();
        return this.start(false);
    }
  }

  private publish(incarnation: string, bytes: number): void {
    const body = `${this.bodies++}`.padEnd(bytes);
    const log = this.logs.log(incarnation);
    const position = log.publish(makeMessage({ body }));
    const model = this.model(incarnation);
    model.live.set(position, body);
    model.unsyncedPublishes.add(position);
    log.onCommitted = (upTo) => {
      for (const published of model.unsyncedPublishes) if (published <= upTo) model.unsyncedPublishes.delete(published);
    };
  }

  private settle(incarnation: string, at: number, count: number): void {
    const model = this.model(incarnation);
    const positions = [...model.live.keys()];
    const chosen = positions.slice(at % (positions.length + 1)).slice(0, count);
    if (chosen.length === 0) return;
    this.logs.log(incarnation).settle(chosen[0]!, chosen.at(-1)!);
    for (const position of chosen) {
      model.unsyncedSettles.set(position, model.live.get(position)!);
      model.live.delete(position);
    }
  }

  private mark(what: 'pend' | 'returned', incarnation: string, at: number): void {
    const model = this.model(incarnation);
    const position = [...model.live.keys()][at % Math.max(model.live.size, 1)];
    if (position === undefined) return;
    if (what === 'returned') {
      const { count, synced } = model.returns.get(position) ?? { count: 0, synced: 0 };
      model.returns.set(position, { count: count + 1, synced });
      this.logs.log(incarnation).returned(position, count + 1);
    } else if (!model.pending.has(position)) {
      const reason = (['rejected', 'expired', 'maxlen', 'delivery_limit'] as const)[at % 4]!;
      model.pending.set(position, reason);
      model.unsyncedPending.add(position);
      this.logs.log(incarnation).pend(position, reason);
    }
  }

  /** The name goes on in a new incarnation, as when a queue is deleted and declared again. */
  private remove(index: number): void {
    this.logs.remove(this.incarnations[index]!);
    this.models.delete(this.incarnations[index]!);
    this.incarnations[index] = `${queues[index]}/${this.bodies++}`;
  }

  private model(incarnation: string): Model {
    let model = this.models.get(incarnation);
    if (model === undefined) this.models.set(incarnation, (model = new Model()));
    return model;
  }
}

describe('a log and a plain list', () => {
  it('agree, whatever is done to them', { timeout: 60_000 }, async () => {
    const runs = fc.asyncProperty(
      fc.nat(),
      fc.array(command, { maxLength: 120, size: 'max' }),
      async (seed, commands) => {
        const run = new Run(seed);
        await run.start(true);
        for (const step of commands) await run.execute(step);
        await run.execute({ do: 'stop' });
      },
    );
    await fc.assert(runs, { numRuns: Number(process.env.CHAPAR_TEST_RUNS ?? 150) });
  });
});
