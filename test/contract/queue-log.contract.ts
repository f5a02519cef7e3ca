import type { LogStore, Position } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage, messageFacts } from './messages.js';
import type { RecoveredMessages } from './recovered.js';

/** A log store on a machine that can be stopped and started again, with time that the test drives. */
export interface LogStoreSubject {
  /** The node starts on what is on its disk. */
  start(): Promise<{ readonly logs: LogStore; readonly recovered: readonly RecoveredMessages[] }>;
  /** A clean stop. */
  stop(): Promise<void>;
  /** The process dies, the machine goes on. */
  kill(): void;
  /** Power fails: what was not synced may be gone. */
  crash(): void;
  /** Lets time pass until nothing is under way. */
  idle(): Promise<void>;
  /** Lets so much time pass. */
  advance(ms: number): Promise<void>;
  /** Lets time pass until the promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

const q = '5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b01';
const other = '5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b02';

const bodies = (queue: RecoveredMessages | undefined) =>
  queue?.messages.map(({ message }) => message.body().toString('latin1'));
const positions = (queue: RecoveredMessages | undefined) => queue?.messages.map(({ position }) => position);

/** What every implementation of `QueueLog` and `LogStore` does. */
export function queueLogContract(name: string, create: () => Promise<LogStoreSubject>): void {
  describe(`${name} as a log of queues`, () => {
    let subject: LogStoreSubject;
    let logs: LogStore;
    let recovered: readonly RecoveredMessages[];

    const start = async () => {
      ({ logs, recovered } = await subject.start());
    };
    const found = (incarnation = q) => recovered.find((queue) => queue.incarnation === incarnation);
    const publish = (body: string, incarnation = q): Position => logs.log(incarnation).publish(makeMessage({ body }));
    const sync = () => subject.settle(logs.sync());
    const crashAndStart = async () => {
      subject.crash();
      await start();
    };

    beforeEach(async () => {
      subject = await create();
      await start();
    });

    it('finds nothing on an empty disk', () => {
      expect(recovered).toEqual([]);
    });

    it('counts positions from 1, holes too, each queue for itself', () => {
      const log = logs.log(q);
      expect([log.publish(makeMessage()), log.skip(), log.publish(makeMessage())]).toEqual([1, 2, 3]);
      expect(publish('x', other)).toBe(1);
    });

    it('gives one log per incarnation', () => {
      expect(logs.log(q)).toBe(logs.log(q));
      expect(logs.log(other)).not.toBe(logs.log(q));
    });

    it('commits what was flushed, once, and never within a call', async () => {
      const log = logs.log(q);
      const heard: Position[] = [];
      log.onCommitted = (upTo) => heard.push(upTo);
      for (let i = 0; i < 10; i++) log.publish(makeMessage());
      expect(log.committed).toBe(0);
      logs.flush();
      expect(heard).toEqual([]);
      await subject.idle();
      expect(heard).toEqual([10]);
      expect(log.committed).toBe(10);
    });

    it('commits on each flush after the one before it', async () => {
      const log = logs.log(q);
      const heard: Position[] = [];
      log.onCommitted = (upTo) => {
        heard.push(upTo);
        // A queue may answer a commit with more.
        if (upTo < 3) log.publish(makeMessage());
        logs.flush();
      };
      log.publish(makeMessage());
      logs.flush();
      await subject.idle();
      expect(heard).toEqual([1, 2, 3]);
    });

    it('does not hold a commit back for holes', async () => {
      const log = logs.log(q);
      log.publish(makeMessage());
      log.skip();
      logs.flush();
      await subject.idle();
      expect(log.committed).toBe(2);
      log.skip();
      expect(log.committed).toBe(3);
    });

    it('keeps what was committed through a power cut, in order and whole', async () => {
      const facts = [
        { exchange: 'ex', routingKey: 'a.b', priority: 0, expirationMs: 0, properties: 'p', body: 'first' },
        { expirationMs: 5, receivedAtMs: 1_912_345_678_901 },
        { receivedAtMs: 1 },
        {
          exchange: 'ü'.repeat(127),
          routingKey: 'k'.repeat(255),
          priority: 255,
          expirationMs: 4_294_967_296,
          body: '',
        },
        { properties: '', body: '\u0000\u00ff\u0080' },
        { properties: 'x'.repeat(70_000), body: 'y'.repeat(5_000) },
      ];
      for (const fact of facts) logs.log(q).publish(makeMessage(fact));
      logs.flush();
      await subject.idle();
      await crashAndStart();
      expect(positions(found())).toEqual([1, 2, 3, 4, 5, 6]);
      expect(found()!.messages.map(({ message }) => messageFacts(message))).toEqual(
        facts.map((fact) => messageFacts(makeMessage(fact))),
      );
    });

    it('keeps large bodies, in one piece and in many', async () => {
      const pieces = [10, 40_000, 0, 200_000].map((bytes, i) => Buffer.alloc(bytes, 65 + i));
      logs.log(q).publish(makeMessage({}, pieces));
      logs.log(q).publish(makeMessage({ body: 'z'.repeat(1_000_000) }));
      logs.log(q).publish(makeMessage({}, [Buffer.from('small'), Buffer.from(' parts')]));
      await sync();
      await crashAndStart();
      const expected = [Buffer.concat(pieces).toString('latin1'), 'z'.repeat(1_000_000), 'small parts'];
      expect(bodies(found())?.map((body) => body.length)).toEqual(expected.map((body) => body.length));
      expect(bodies(found())).toEqual(expected);
    });

    it('copies small messages before the call returns', async () => {
      const message = makeMessage({ body: 'before' });
      logs.log(q).publish(message);
      message.bytes.fill(0);
      await sync();
      await crashAndStart();
      expect(bodies(found())).toEqual(['before']);
    });

    it('does not bring back what was settled and synced', async () => {
      for (let i = 1; i <= 10; i++) publish(`m${i}`);
      await sync();
      const log = logs.log(q);
      for (const [first, last] of [
        [9, 9],
        [2, 4],
        [7, 7],
        [5, 5],
      ] as const) {
        log.settle(first, last);
      }
      await sync();
      await crashAndStart();
      expect(positions(found())).toEqual([1, 6, 8, 10]);
      expect(bodies(found())).toEqual(['m1', 'm6', 'm8', 'm10']);
    });

    it('settles in the group in which it was published', async () => {
      publish('a');
      publish('b');
      logs.log(q).settle(1, 1);
      await sync();
      await crashAndStart();
      expect(bodies(found())).toEqual(['b']);
    });

    it('settles a range with holes in it', async () => {
      publish('a');
      logs.log(q).skip();
      publish('b');
      publish('c');
      logs.log(q).settle(1, 3);
      await sync();
      await crashAndStart();
      expect(positions(found())).toEqual([4]);
    });

    it('writes settlements that nobody waits for before long', async () => {
      publish('a');
      publish('b');
      await sync();
      logs.log(q).settle(1, 1);
      logs.flush();
      await subject.advance(1_000);
      await crashAndStart();
      expect(bodies(found())).toEqual(['b']);
    });

    it('goes on where positions ended', async () => {
      for (let i = 0; i < 3; i++) publish('x');
      logs.log(q).settle(1, 3);
      await sync();
      await crashAndStart();
      expect(found()?.messages).toEqual([]);
      expect(logs.log(q).committed).toBe(3);
      expect(publish('y')).toBe(4);
    });

    it('has everything committed that it recovered', async () => {
      publish('x');
      await sync();
      subject.kill();
      await start();
      expect(logs.log(q).committed).toBe(1);
      await crashAndStart();
      expect(bodies(found())).toEqual(['x']);
    });

    it('keeps the queues apart', async () => {
      publish('mine');
      publish('yours', other);
      logs.log(q).settle(1, 1);
      await sync();
      await crashAndStart();
      expect(bodies(found(q)) ?? []).toEqual([]);
      expect(bodies(found(other))).toEqual(['yours']);
    });

    it('forgets a removed queue, and only that', async () => {
      publish('gone');
      publish('stays', other);
      await sync();
      logs.remove(q);
      await sync();
      await crashAndStart();
      expect(recovered.map((queue) => queue.incarnation)).toEqual([other]);
      logs.remove('5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b03');
    });

    it('does not mind that a queue goes while its messages are on their way', async () => {
      const log = logs.log(q);
      const heard: Position[] = [];
      log.onCommitted = (upTo) => heard.push(upTo);
      publish('gone');
      log.settle(1, 1);
      logs.flush();
      logs.remove(q);
      await sync();
      expect(heard).toEqual([]);
      await crashAndStart();
      expect(recovered).toEqual([]);
    });

    it('syncs on demand, also when there is nothing to sync', async () => {
      await sync();
      publish('x');
      await sync();
      expect(logs.log(q).committed).toBe(1);
      await sync();
      await crashAndStart();
      expect(bodies(found())).toEqual(['x']);
    });

    it('tells after a clean stop how far was delivered, and after any other end that all may have been', async () => {
      publish('a');
      publish('b');
      publish('c', other);
      logs.delivered(q, 1);
      await subject.stop();
      await start();
      expect(found()?.deliveredUpTo).toBe(1);
      expect(bodies(found())).toEqual(['a', 'b']);
      // Nothing was said about this one.
      expect(found(other)?.deliveredUpTo).toBe(Number.POSITIVE_INFINITY);
      subject.kill();
      await start();
      expect(found()?.deliveredUpTo).toBe(Number.POSITIVE_INFINITY);
    });

    it('tells whether messages may expire of themselves', async () => {
      publish('for ever');
      logs.log(other).publish(makeMessage({ expirationMs: 0 }));
      await sync();
      await crashAndStart();
      expect([found()?.mayExpire, found(other)?.mayExpire]).toEqual([false, true]);
    });

    it('tells it for each priority too', async () => {
      publish('a');
      publish('b', other);
      const levels = Array.from({ length: 256 }, (_, priority) => priority * 2 ** 33);
      logs.delivered(q, 255 * 2 ** 33, levels);
      logs.delivered(other, 1, []);
      await subject.stop();
      await start();
      expect(found()).toMatchObject({ deliveredUpTo: 255 * 2 ** 33, deliveredByLevel: levels });
      expect(found(other)).toMatchObject({ deliveredUpTo: 1, deliveredByLevel: [] });
      subject.kill();
      await start();
      expect(found()).toMatchObject({ deliveredUpTo: Number.POSITIVE_INFINITY, deliveredByLevel: [] });
    });

    it('goes over what it recovered with its priorities, also when it was settled or moved meanwhile', async () => {
      for (const priority of [0, 9, 255, -1, 9])
        logs.log(q).publish(makeMessage({ priority, body: 'x'.repeat(priority + 1) }));
      logs.log(q).skip();
      logs.log(other).publish(makeMessage({ priority: 3 }));
      await sync();
      logs.log(q).settle(2, 2);
      await sync();
      await crashAndStart();
      const seen: number[][] = [];
      found()!.visit((...each) => seen.push(each));
      expect(seen).toEqual([
        [1, 0, 1],
        [3, 255, 256],
        [4, 0, 0],
        [5, 9, 10],
      ]);
    });

    it('keeps everything through a clean stop, settlements too', async () => {
      publish('a');
      publish('b');
      logs.log(q).settle(1, 1);
      logs.delivered(q, 0);
      await subject.stop();
      await start();
      expect(bodies(found())).toEqual(['b']);
      expect(found()?.deliveredUpTo).toBe(0);
    });

    it('commits nothing any more after it was closed', async () => {
      publish('x');
      await sync();
      await subject.stop();
      const log = logs.log(q);
      log.publish(makeMessage());
      logs.flush();
      await subject.idle();
      expect(log.committed).toBe(1);
      await expect(logs.sync()).rejects.toThrow();
      await start();
      expect(bodies(found())).toEqual(['x']);
    });

    const marks = (queue: RecoveredMessages | undefined) => [
      queue?.pending.map(({ position, reason }) => [position, reason]),
      queue?.returns.map(({ position, count }) => [position, count]),
    ];

    it('remembers what waits in the outbox, and how often a message was given back', async () => {
      for (const body of ['a', 'b', 'c', 'd', 'e', 'f']) publish(body);
      publish('x', other);
      await sync();
      const log = logs.log(q);
      log.pend(5, 'maxlen');
      log.pend(2, 'rejected');
      log.returned(3, 1);
      log.returned(3, 2);
      log.returned(1, 7);
      log.pend(6, 'expired');
      log.pend(4, 'delivery_limit');
      log.returned(4, 20);
      await sync();
      await crashAndStart();
      const expected = [
        [
          [2, 'rejected'],
          [4, 'delivery_limit'],
          [5, 'maxlen'],
          [6, 'expired'],
        ],
        [
          [1, 7],
          [3, 2],
          [4, 20],
        ],
      ];
      expect(marks(found())).toEqual(expected);
      expect(marks(found(other))).toEqual([[], []]);
      // They are live all the same, and can be read.
      expect(bodies(found())).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
      await subject.stop();
      await start();
      expect(marks(found())).toEqual(expected);
    });

    it('notes when a message went into the outbox', async () => {
      publish('a');
      publish('b');
      logs.log(q).pend(1, 'rejected');
      await subject.advance(5_000);
      logs.log(q).pend(2, 'rejected');
      await sync();
      await crashAndStart();
      const [first, second] = found()!.pending;
      expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(5_000);
      expect(second!.atMs - first!.atMs).toBeLessThan(6_000);
      expect(logs.lastStampMs).toBeGreaterThanOrEqual(second!.atMs);
    });

    it('writes before long what was noted of a message, without being asked to', async () => {
      publish('a');
      publish('b');
      await sync();
      logs.log(q).pend(1, 'expired');
      logs.log(q).returned(2, 1);
      await subject.advance(1_000);
      await crashAndStart();
      expect(marks(found())).toEqual([[[1, 'expired']], [[2, 1]]]);
    });

    it('forgets what was noted of a message that is settled, and notes nothing of a hole', async () => {
      for (const body of ['a', 'b', 'c']) publish(body);
      const log = logs.log(q);
      log.skip();
      log.pend(1, 'rejected');
      log.pend(3, 'rejected');
      log.returned(2, 1);
      log.pend(4, 'maxlen');
      log.settle(1, 2);
      await sync();
      await crashAndStart();
      expect(marks(found())).toEqual([[[3, 'rejected']], []]);
      expect(bodies(found())).toEqual(['c']);
    });

    it('keeps what was noted of a message as long as the message', async () => {
      publish('old');
      publish('older');
      logs.log(q).pend(1, 'rejected');
      logs.log(q).returned(2, 3);
      for (let i = 3; i < 100; i++) {
        publish('x'.repeat(100), other);
        logs.log(other).settle(i - 2, i - 2);
        if (i % 7 === 0) await sync();
        if (i % 30 === 0) await crashAndStart();
      }
      await sync();
      await crashAndStart();
      expect(marks(found())).toEqual([[[1, 'rejected']], [[2, 3]]]);
      expect(bodies(found())).toEqual(['old', 'older']);
    });

    it('knows the latest time of what it recovered', async () => {
      expect(logs.lastStampMs).toBe(0);
      for (const receivedAtMs of [1_800_000_000_000, 9_000_000_000_000, 1_900_000_000_000])
        logs.log(q).publish(makeMessage({ receivedAtMs }));
      await sync();
      await crashAndStart();
      expect(logs.lastStampMs).toBe(9_000_000_000_000);
    });

    it('lives through many restarts', async () => {
      for (let life = 1; life <= 20; life++) {
        publish(`m${life}`);
        if (life > 3) logs.log(q).settle(life - 3, life - 3);
        if (life % 3 === 0) await subject.stop();
        else await sync();
        if (life % 3 !== 0) subject[life % 3 === 1 ? 'crash' : 'kill']();
        await start();
        expect(positions(found())).toEqual([life - 2, life - 1, life].filter((position) => position > 0));
      }
    });
  });
}
