import type { LogStore } from '@chapar/core';
import { type CrashKeep, createSimPlatform, type SimPlatform, SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { BoundaryDisk } from '../../../test/contract/boundary-disk.js';
import { makeMessage } from '../../../test/contract/messages.js';
import { ReplicaLoad } from '../../../test/contract/replica-load.js';
import { openStore } from './open.js';
import { publishHeadBytes } from './publish-entry.js';
import { FORM_ROOM_BYTES, writeForm } from './replica-form.js';

const names = [
  'aaaaaaaa-0000-4000-8000-000000000001',
  'bbbbbbbb-0000-4000-8000-000000000002',
  'cccccccc-0000-4000-8000-000000000003',
];
/** So small that the script fills many files and empties the old ones. */
const wal = { fileBytesMax: 3_000, bytesMin: 4_000, liveFactor: 1.3, checkpointBytes: 5_000 };

function formOf(body: string): Buffer {
  const message = makeMessage({ body, properties: 'p', priority: body.length % 10 });
  const buf = Buffer.alloc(FORM_ROOM_BYTES + publishHeadBytes(message) + body.length);
  return buf.subarray(FORM_ROOM_BYTES, writeForm(buf, 0, message));
}

class World {
  readonly platform: SimPlatform;
  readonly loads: ReplicaLoad[];
  disk: BoundaryDisk;

  constructor(seed: number, keep: CrashKeep, stopAt: number) {
    this.platform = createSimPlatform(seed);
    this.platform.disk.delayMs.write = 1;
    const pace = new SimRandom(seed);
    Object.defineProperty(this.platform.disk.delayMs, 'sync', { get: () => (pace.chance(0.2) ? 15 : 3) });
    this.disk = new BoundaryDisk(this.platform.disk, stopAt, () => this.platform.crash(keep));
    const random = new SimRandom(seed);
    this.loads = names.map((name) => new ReplicaLoad(name.slice(0, 2), random, formOf));
  }

  async open(): Promise<LogStore | null> {
    const { clock, log, random } = this.platform;
    return this.alive(
      openStore({ platform: { clock, log, random, disk: this.disk }, dataDir: '/data', wal }).then(async ({ logs }) => {
        // Replicas are none of what is recovered for queues.
        for (const { incarnation } of await logs.recover()) expect(names).not.toContain(incarnation);
        return logs;
      }),
    );
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

  /** Starts on a disk that stops at a change; what came back is what had been promised. False: it went down on the way. */
  async restart(keep: CrashKeep, stopAt: number): Promise<LogStore | null> {
    this.disk = new BoundaryDisk(this.platform.disk, stopAt, () => this.platform.crash(keep));
    const logs = await this.open();
    if (logs === null) return null;
    for (const [i, load] of this.loads.entries()) {
      const checked = load.restart(logs.replica(names[i]!), (promise) => promise).then(() => true);
      if ((await this.alive(checked)) === null) return null;
    }
    expect(this.platform.log.find('', 'error')).toEqual([]);
    return logs;
  }
}

async function script(world: World, logs: LogStore | null, random: SimRandom, turns: number): Promise<void> {
  if (logs === null) return;
  for (const [i, load] of world.loads.entries()) load.attach(logs.replica(names[i]!));
  const queue = logs.log('a queue');
  for (let turn = 0; turn < turns && !world.disk.isStopped; turn++) {
    for (const [i, load] of world.loads.entries()) {
      // One of them is seldom mentioned, so that its files grow old, and one is drained early and not mentioned again.
      if (i === 1 && turn % 5 !== 0) continue;
      if (i === 2 && turn === 10) load.drain(logs.replica(names[i]!));
      if (i === 2 && turn >= 10) continue;
      for (let steps = random.integer(7); steps > 0; steps--) load.step(logs.replica(names[i]!));
    }
    const position = queue.publish(makeMessage({ body: 'x'.repeat(random.integer(100)) }));
    if (turn % 4 !== 0) queue.settle(position, position);
    logs.flush();
    if (turn % 7 === 3) await world.alive(logs.sync().then(() => true));
    else await world.platform.clock.advance(turn % 5 === 0 ? 60 : 2);
  }
}

/** More seeds on demand, for a long search. */
const seeds = Number(process.env['CHAPAR_TEST_SEEDS'] ?? 1);

describe.each(['some', 'nothing', 'everything'] as const)(
  'a power cut that leaves %s of what was not synced',
  (keep) => {
    it('leaves each replica as it was after some operation, and not before what was synced', {
      timeout: 120_000 * seeds,
    }, async () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const whole = new World(seed, keep, Number.POSITIVE_INFINITY);
        await script(whole, await whole.open(), new SimRandom(seed), 60);
        const total = whole.disk.count;
        expect(total).toBeGreaterThan(100);
        const files = await whole.platform.disk.list('/data/wal');
        expect(files[0]).toBe('checkpoint');
        expect(files).not.toContain('wal-00000003.log');
        // Nothing but the mode itself differs from change to change where all of it stays, or none.
        const step = keep === 'some' || seeds > 1 ? 1 : 2;
        for (let stopAt = 1; stopAt <= total; stopAt += step) {
          const world = new World(seed, keep, stopAt);
          await script(world, await world.open(), new SimRandom(seed), 60);
          // Once more on the way up, or a little later, when it has begun to work.
          const again = await world.restart(keep, 1 + (stopAt % 17));
          await script(world, again, new SimRandom(stopAt), 5);
          if (!world.disk.isStopped) world.platform.crash(keep);
          const last = (await world.restart(keep, Number.POSITIVE_INFINITY))!;
          await script(world, last, new SimRandom(stopAt), 3);
          for (const [i, load] of world.loads.entries()) await world.alive(load.check(last.replica(names[i]!)));
        }
      }
    });
  },
);
