import type { ReplicaEntry, StoredReplica } from '@chapar/core';
import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
// The form of a message is the store's own affair; here a message has to be made up.
import { publishHeadBytes } from '../../packages/store/src/publish-entry.js';
import { FORM_ROOM_BYTES, writeForm } from '../../packages/store/src/replica-form.js';
import { makeMessage } from '../contract/messages.js';
import { sorted } from '../contract/replica-model.js';
import { SimStore } from '../contract/sim-store.js';
import { brokenPromise } from './caught.js';
import { type LogState, type Operation, SimReplicaLog } from './replica-log.js';
import { soundRules } from './rules.js';
import { World } from './world.js';

/** How one life of a node ended for its log: what was asked of it, how much of that is found afterwards, and what that comes to. */
interface Life {
  readonly operations: readonly Operation[];
  readonly kept: number;
  readonly found: LogState;
}

/** Notes what is asked of a simulated log. */
class TracedLog extends SimReplicaLog {
  readonly lives: Life[] = [];
  private asked: Operation[] = [];

  protected override do(operation: Operation): void {
    super.do(operation);
    this.asked.push(operation);
  }

  override crash(kept: number): void {
    const lost = this.unsyncedCount - Math.min(kept, this.unsyncedCount);
    super.crash(kept);
    this.lives.push({ operations: this.asked, kept: this.asked.length - lost, found: this.state.copy() });
    this.asked = [];
  }

  /** All that was asked was kept. */
  finish(): void {
    this.crash(this.unsyncedCount);
  }
}

const message = makeMessage({ body: 'body' });
const form = Buffer.alloc(FORM_ROOM_BYTES + publishHeadBytes(message) + message.bodyBytes);
const bytes = form.subarray(FORM_ROOM_BYTES, writeForm(form, 0, message));

function doTo(replica: StoredReplica, operation: Operation): void {
  switch (operation.op) {
    case 'begin':
      replica.begin(operation.start.epoch, operation.start.first);
      break;
    case 'append':
      append(replica, operation.entry);
      break;
    case 'pass':
    case 'cut':
    case 'commit':
      replica[operation.op](operation.position);
      break;
    case 'change':
      replica.change(operation.change);
      break;
    case 'merge':
      replica.merge(operation.rows);
      break;
    case 'restate':
      replica.restate(operation.upTo, [...operation.live], operation.marks);
  }
}

/** A leader publishes, a follower appends; here nobody knows any more which it was. */
function append(replica: StoredReplica, { position, provenance }: ReplicaEntry): void {
  if (position !== replica.end + 1) replica.append({ position, provenance, bytes });
  else expect(replica.publish(message, provenance)).toBe(position);
}

function toldBy(replica: StoredReplica) {
  const { end, committed, starts } = replica;
  const live = [...replica.liveIn(1, end)];
  const marks = replica.marksIn(1, end).map((mark) => JSON.stringify(Object.entries(mark).sort()));
  const [origins, all] = [sorted(replica.originRows()), sorted(replica.allOriginRows())];
  return { end, committed, starts, live, marks: marks.sort(), origins, all };
}

function toldOf(state: LogState) {
  const log = new SimReplicaLog();
  log.state = state;
  const { end, committed, history } = log;
  const live = [...log.liveIn(1, end)];
  const marks = log.marksIn(1, end).map((mark) => JSON.stringify(Object.entries(mark).sort()));
  const [origins, all] = [sorted(log.originRows()), sorted(log.allOriginRows())];
  return { end, committed, starts: history.starts, live, marks: marks.sort(), origins, all };
}

/** Asks the same of a stored one; small files, so that they are emptied and checkpoints are written all the time. */
async function replay(lives: readonly Life[], seed: number): Promise<number> {
  const node = new SimStore(seed, { wal: { fileBytesMax: 4_000, bytesMin: 8_000, checkpointBytes: 10_000 } });
  const random = new SimRandom(seed);
  for (const { operations, kept, found } of lives) {
    const { logs } = await node.start();
    const replica = logs.replica('replica');
    for (const operation of operations.slice(0, kept)) {
      doTo(replica, operation);
      if (random.chance(0.2)) logs.flush();
      if (random.chance(0.1)) await node.advance(random.integer(20));
    }
    await node.settle(logs.sync());
    await node.idle();
    for (const operation of operations.slice(kept)) doTo(replica, operation);
    // What was not handed over is lost, be it little or much.
    node.crash();
    const { logs: after } = await node.start();
    expect(toldBy(after.replica('replica'))).toEqual(toldOf(found));
    node.kill();
  }
  return (await node.platform.disk.list('/data/wal')).length;
}

const count = Number(process.env['CHAPAR_SIM_SEEDS'] ?? 6);

describe('the log on the disk', () => {
  it(`is what the simulated one is, whatever replicas ask of it, with ${count} seeds`, async () => {
    let replayed = 0;
    for (let seed = 1; seed <= count; seed++) {
      const logs: TracedLog[] = [];
      const makeLog = () => {
        logs.push(new TracedLog());
        return logs.at(-1)!;
      };
      expect(brokenPromise(new World(seed, { ...soundRules, makeLog }))).toBeNull();
      for (const log of logs) {
        log.finish();
        await replay(log.lives, seed);
        replayed += log.lives.reduce((sum, { operations }) => sum + operations.length, 0);
      }
    }
    expect(replayed).toBeGreaterThan(100 * count);
  }, 600_000);
});
