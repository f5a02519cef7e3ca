import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryReplica, messageOf } from '../../../../test/support/memory-replicas.js';
import { Leader } from './leader.js';
import { MirroredLog } from './mirrored-log.js';
import { mirrorSettings } from './mirrors.js';
import type { MirrorRecord } from './record.js';
import { RecordView } from './record-view.js';
import { StoredLog } from './stored-log.js';

const record: MirrorRecord = {
  incarnation: 'q',
  replicas: ['a'],
  leader: 'a',
  epoch: 1,
  inSync: ['a'],
  min: 1,
  nonce: 'new',
};

let stored: MemoryReplica;
let leader: Leader;
let log: MirroredLog;
let touches: number;

beforeEach(() => {
  stored = new MemoryReplica('q');
  leader = new Leader('a', new RecordView(record, 1), new StoredLog(stored), mirrorSettings);
  touches = 0;
  log = new MirroredLog(leader, stored, {
    touch: () => touches++,
    nowMs: () => 1000,
    aheadMs: 400,
    mayHandOut: () => true,
  });
  leader.onCounted = () => log.counted();
});

/** The disk has everything. */
function sync(): void {
  stored.log.sync(stored.operations);
  leader.synced(stored.operations);
}

function publish(count: number, origin = 'x'): void {
  for (let sequence = 1; sequence <= count; sequence++) {
    log.from({ origin, sequence, low: 0 });
    log.publish(messageOf(Buffer.from(JSON.stringify(['q', `${sequence}`]))));
  }
}

describe('the log of a led queue', () => {
  it('tells what is committed, and whose it is', () => {
    const told: number[] = [];
    log.onCommitted = (committed) => told.push(committed);
    publish(3);
    expect([log.committed, leader.origins.verdict('x', 2)]).toEqual([0, 'held']);
    sync();
    expect([told, log.committed]).toEqual([[4], 4]);
  });

  it('says a turn of settlements as ranges, under one mark', () => {
    publish(9);
    sync();
    for (const position of [2, 3, 5, 4, 8]) log.settle(position, position);
    const mark = log.mark();
    expect([mark, leader.ledger.number, log.forGood]).toEqual([1, 0, 0]);
    log.flush();
    expect([log.mark(), leader.ledger.number]).toEqual([mark, 2]);
    expect(stored.liveIn(1, 10)).toEqual([
      { first: 6, last: 7 },
      { first: 9, last: 10 },
    ]);
    sync();
    expect(log.forGood).toBe(mark);
  });

  it('says what was settled before it reads', () => {
    publish(3);
    sync();
    log.settle(2, 2);
    log.read(1, 4, 1000, () => undefined);
    expect(stored.liveIn(1, 4)).toEqual([{ first: 3, last: 4 }]);
  });

  it('calls whoever waits until all is safe when it is, and never within his call', async () => {
    publish(2);
    sync();
    const done: string[] = [];
    log.pend(2, 'rejected');
    log.whenSafe(() => done.push('pended'));
    log.flush();
    expect(done).toEqual([]);
    sync();
    expect(done).toEqual(['pended']);
    log.whenSafe(() => done.push('at rest'));
    expect(done).toEqual(['pended']);
    await Promise.resolve();
    expect(done).toEqual(['pended', 'at rest']);
  });

  it('tells others and the disk the time of the queue, and its queue that of the node', () => {
    const message = messageOf(Buffer.from(JSON.stringify(['q', 'one'])));
    message.receivedAtMs = 1_000_000;
    const written: number[] = [];
    const { publish: original } = stored;
    stored.publish = (given, provenance) => {
      written.push(given.receivedAtMs);
      return original.call(stored, given, provenance);
    };
    log.publish(message);
    sync();
    log.pend(2, 'expired');
    log.flush();
    sync();
    expect([written, message.receivedAtMs]).toEqual([[1_000_400], 1_000_000]);
    expect(stored.marksIn(1, 2)).toEqual([{ kind: 'pend', position: 2, reason: 'expired', atMs: 1000 }]);
    expect(log.found().pending).toMatchObject([{ position: 2, atMs: 600 }]);
    stored.read = (_from, _to, _max, done) => {
      const read = messageOf(Buffer.from(JSON.stringify(['q', 'one'])));
      read.receivedAtMs = 1_000_400;
      done({ messages: [{ position: 2, message: read }], upTo: 2, unreadable: [] });
    };
    const read: number[] = [];
    log.read(2, 2, 1000, ({ messages }) => read.push(messages[0]!.message.receivedAtMs));
    expect(read).toEqual([1_000_000]);
  });

  it('names its dead letters by the queue and their positions, whoever leads', () => {
    publish(3);
    sync();
    expect(log.provenanceOf(3)).toEqual({ origin: 'letters/q', sequence: 3, low: 0 });
    log.settle(2, 2);
    log.flush();
    // The first entry of the reign is no message; what was settled is not for good.
    expect([log.provenanceOf(4).low, log.provenanceOf(4).low]).toEqual([1, 1]);
    sync();
    expect([log.provenanceOf(4).low, log.provenanceOf(4).low]).toEqual([2, 2]);
  });

  it('writes nothing more when the reign is over, and promises nothing', async () => {
    publish(2);
    sync();
    log.pend(2, 'rejected');
    const done: string[] = [];
    log.whenSafe(() => done.push('pended'));
    log.flush();
    log.isOver = true;
    const { operations } = stored;
    publish(1);
    log.settle(3, 3);
    log.returned(3, 1);
    log.flush();
    expect(stored.operations).toBe(operations);
    sync();
    await Promise.resolve();
    expect(done).toEqual([]);
    expect(touches).toBeGreaterThan(0);
  });
});
