import type { LogStore, Position, QueueLog } from '@chapar/core';
import { type CrashKeep, createSimPlatform, type SimPlatform, SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { BoundaryDisk } from '../../../test/contract/boundary-disk.js';
import { makeMessage } from '../../../test/contract/messages.js';
import { type RecoveredMessages, readRecovered } from '../../../test/contract/recovered.js';
import { openStore } from './open.js';

const queues = ['aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000002', 'c-3'];
/** So small that the script fills many files and empties the old ones. */
const wal = { fileBytesMax: 2_000, bytesMin: 5_000, liveFactor: 2, checkpointBytes: 1_500 };

/** What the outside world knows of one queue, to hold against what comes back. */
class Ledger {
  readonly published = new Map<Position, string>();
  readonly settled = new Set<Position>();
  /** Settled, and a sync was answered afterwards. */
  readonly settledForGood = new Set<Position>();
  /** Went into the outbox; true: and a sync was answered afterwards. */
  readonly pending = new Map<Position, boolean>();
  confirmed: Position = 0;
  removed: 'no' | 'asked' | 'synced' = 'no';
  /** What a consumer may take next. */
  ready: Position[] = [];
}

interface Opened {
  readonly logs: LogStore;
  readonly recovered: readonly RecoveredMessages[];
}

class World {
  readonly ledgers = new Map(queues.map((incarnation) => [incarnation, new Ledger()]));
  readonly platform: SimPlatform;
  disk: BoundaryDisk;

  constructor(seed: number, keep: CrashKeep, stopAt: number) {
    this.platform = createSimPlatform(seed);
    // Slow enough that turns go by while a group is on its way.
    this.platform.disk.delayMs.write = 1;
    // Now and then one is so slow that what was begun later is done before it.
    const pace = new SimRandom(seed);
    Object.defineProperty(this.platform.disk.delayMs, 'sync', { get: () => (pace.chance(0.2) ? 15 : 3) });
    this.disk = new BoundaryDisk(this.platform.disk, stopAt, () => this.platform.crash(keep));
  }

  async open(): Promise<Opened | null> {
    const { clock, log, random } = this.platform;
    const opened = openStore({ platform: { clock, log, random, disk: this.disk }, dataDir: '/data', wal }).then(
      async ({ logs }) => ({ logs, recovered: await readRecovered(logs, await logs.recover()) }),
    );
    return this.alive(opened);
  }

  /** What the promise gives, or null when the machine went down on the way. */
  async alive<T>(promise: Promise<T>): Promise<T | null> {
    let result: { value: T } | null = null;
    let failure: unknown = null;
    promise.then(
      (value) => {
        result = { value };
      },
      (error: unknown) => {
        failure = error;
      },
    );
    while (result === null && failure === null && !this.disk.isStopped) await this.platform.clock.advance(1);
    if (failure !== null) throw failure;
    return (result as { value: T } | null)?.value ?? null;
  }
}

/** A day in the life of three queues; ends early when the machine goes down. */
async function script(world: World, random: SimRandom): Promise<void> {
  const opened = await world.open();
  if (opened === null) return;
  const { logs } = opened;
  for (let turn = 0; turn < 60 && !world.disk.isStopped; turn++) {
    for (const [index, incarnation] of queues.entries()) {
      const ledger = world.ledgers.get(incarnation)!;
      if (ledger.removed !== 'no') continue;
      // The last queue keeps most of what it gets, the others drain.
      publishSome(logs.log(incarnation), ledger, random, turn, index);
      settleSome(logs.log(incarnation), ledger, random, index === 2 ? 0.1 : 0.6);
      pendSome(logs.log(incarnation), ledger, random);
    }
    if (turn === 40) removeQueue(logs, world.ledgers.get(queues[1]!)!, queues[1]!);
    logs.flush();
    if (turn % 7 === 3) await syncAndNote(world, logs);
    else await world.platform.clock.advance(turn % 5 === 0 ? 60 : 2);
  }
}

function publishSome(log: QueueLog, ledger: Ledger, random: SimRandom, turn: number, index: number): void {
  log.onCommitted = (upTo) => {
    ledger.confirmed = upTo;
  };
  for (let i = random.integer(3); i > 0; i--) {
    if (random.chance(0.2)) {
      log.skip();
      continue;
    }
    const body = `${index}/${turn}/${i}/`.padEnd(random.integer(300), 'x');
    const position = log.publish(makeMessage({ body }));
    ledger.published.set(position, body);
    ledger.ready.push(position);
  }
}

function settleSome(log: QueueLog, ledger: Ledger, random: SimRandom, share: number): void {
  ledger.ready = ledger.ready.filter((position) => {
    if (!random.chance(share)) return true;
    log.settle(position, position);
    ledger.settled.add(position);
    return false;
  });
}

function pendSome(log: QueueLog, ledger: Ledger, random: SimRandom): void {
  for (const position of ledger.ready) {
    if (ledger.pending.has(position) || !random.chance(0.1)) continue;
    log.pend(position, 'rejected');
    ledger.pending.set(position, false);
  }
}

function removeQueue(logs: LogStore, ledger: Ledger, incarnation: string): void {
  logs.remove(incarnation);
  ledger.removed = 'asked';
}

async function syncAndNote(world: World, logs: LogStore): Promise<void> {
  const ledgers = [...world.ledgers.values()];
  const settled = ledgers.map((ledger) => [...ledger.settled]);
  const pending = ledgers.map((ledger) => [...ledger.pending.keys()]);
  const removed = ledgers.map((ledger) => ledger.removed);
  if ((await world.alive(logs.sync().then(() => true))) === null) return;
  for (const [i, ledger] of ledgers.entries()) {
    for (const position of settled[i]!) ledger.settledForGood.add(position);
    for (const position of pending[i]!) ledger.pending.set(position, true);
    if (removed[i] === 'asked') ledger.removed = 'synced';
  }
}

/** The promises of issue and design, one by one. */
function check(world: World, { logs, recovered }: Opened): void {
  for (const [incarnation, ledger] of world.ledgers) {
    const found = recovered.find((queue) => queue.incarnation === incarnation);
    const messages = found?.messages ?? [];
    if (ledger.removed === 'synced') expect(found).toBeUndefined();
    const positions = messages.map(({ position }) => position);
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
    for (const { position, message } of messages) {
      // None from nowhere, none that was settled for good, none changed.
      expect(message.body().toString()).toBe(ledger.published.get(position));
      expect(ledger.settledForGood.has(position)).toBe(false);
    }
    const present = new Set(positions);
    const pending = new Set(found?.pending.map(({ position }) => position));
    for (const position of pending) expect(present.has(position) && ledger.pending.has(position)).toBe(true);
    for (const [position, isSynced] of ledger.pending) {
      if (isSynced && present.has(position)) expect(pending.has(position)).toBe(true);
    }
    if (ledger.removed !== 'no') continue;
    const confirmed = [...ledger.published.keys()].filter((position) => position <= ledger.confirmed);
    for (const position of confirmed) if (!ledger.settled.has(position)) expect(present.has(position)).toBe(true);
    // An empty queue is remembered too: its positions are not given twice.
    if (confirmed.length > 0) expect(logs.log(incarnation).committed).toBeGreaterThanOrEqual(confirmed.at(-1)!);
    if (found !== undefined && positions.length > 0) expect(found.deliveredUpTo).toBe(Number.POSITIVE_INFINITY);
  }
  expect(world.platform.log.find('', 'error')).toEqual([]);
}

/** Starts on what the crash left, crashes once more on the way up, starts again, and works. */
async function recoverAndCheck(world: World, keep: CrashKeep, againAt: number): Promise<number> {
  world.disk = new BoundaryDisk(world.platform.disk, againAt, () => world.platform.crash(keep));
  const first = await world.open();
  if (first !== null) check(world, first);
  const changes = world.disk.count;
  if (first !== null) world.platform.crash(keep);
  world.disk = new BoundaryDisk(world.platform.disk, Number.POSITIVE_INFINITY, () => {});
  const opened = (await world.open())!;
  check(world, opened);
  const log = opened.logs.log(queues[0]!);
  const position = log.publish(makeMessage({ body: 'after' }));
  await world.alive(opened.logs.sync());
  expect(log.committed).toBe(position);
  world.ledgers.get(queues[0]!)!.published.set(position, 'after');
  world.ledgers.get(queues[0]!)!.confirmed = position;
  world.platform.crash('nothing');
  const last = (await world.open())!;
  check(world, last);
  return changes;
}

/** More seeds on demand, for a long search. */
const seeds = Number(process.env.CHAPAR_TEST_SEEDS ?? 1);

describe.each(['some', 'nothing', 'everything'] as const)(
  'a power cut that leaves %s of what was not synced',
  (keep) => {
    it('loses nothing that was confirmed, at every change of the disk', { timeout: 60_000 * seeds }, async () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const whole = new World(seed, keep, Number.POSITIVE_INFINITY);
        await script(whole, new SimRandom(seed));
        const total = whole.disk.count;
        // The script does what it is there for: files are begun and emptied.
        expect(total).toBeGreaterThan(100);
        const names = await whole.platform.disk.list('/data/wal');
        expect(names[0]).toBe('checkpoint');
        expect(names).not.toContain('wal-00000001.log');
        for (let stopAt = 1; stopAt <= total; stopAt++) {
          const world = new World(seed, keep, stopAt);
          await script(world, new SimRandom(seed));
          await recoverAndCheck(world, keep, 1 + (stopAt % 12));
        }
      }
    });
  },
);
