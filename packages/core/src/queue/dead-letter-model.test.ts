import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageOf, queueAddress, TopologyKit } from '../../../../test/support/core-kit.js';
import type { Arguments } from '../arguments.js';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import { declareQueue } from '../topology/declare.js';
import type { Delivery, Outcome } from './delivery.js';

/** Longer than letters that were refused ever wait for the next try. */
const retryMs = 31_000;

interface Held {
  readonly id: string;
  readonly delivery: Delivery;
}

/** What limits say, as plainly as can be. */
interface Limits {
  readonly lengthMax: number;
  readonly bytesMax: number;
  readonly overflow: string;
}

/** The queue `work` with its letters in `end`, and where each message should be: lists of bodies, which are all different. */
class Scene {
  private kit: TopologyKit;
  private readonly limits: Limits;
  /** `end` takes everything. */
  private readonly isRoomy: boolean;
  private count = 0;
  /** In `work`, held or not, oldest first. */
  private work: string[] = [];
  private held: Held[] = [];
  private end: string[] = [];
  /** Taken, and nobody was told so yet. */
  private readonly unconfirmed = new Set<string>();
  died = 0;
  refused = 0;
  restarts = 0;

  private constructor(kit: TopologyKit, limits: Limits, isRoomy: boolean) {
    this.kit = kit;
    this.limits = limits;
    this.isRoomy = isRoomy;
  }

  static async open(limits: Limits, endArgs: Arguments): Promise<Scene> {
    const kit = await TopologyKit.open();
    const flags = { serverNamed: false, durable: true, autoDelete: false, owner: null };
    const finite = (name: string, max: number): Arguments => (Number.isFinite(max) ? { [name]: max } : {});
    const args = {
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': 'end',
      'x-overflow': limits.overflow,
      ...finite('x-max-length', limits.lengthMax),
      ...finite('x-max-length-bytes', limits.bytesMax),
    };
    await declareQueue(kit.topology, kit.vhost, { name: 'work', ...flags, arguments: args });
    await declareQueue(kit.topology, kit.vhost, { name: 'end', ...flags, arguments: endArgs });
    return new Scene(kit, limits, Object.keys(endArgs).length === 0);
  }

  // ---- steps -----------------------------------------------------------------------------------------------------

  publish(bytes: number): void {
    const id = `${++this.count}`.padEnd(bytes + 4, '.');
    const told = { isTaken: true };
    const slot: ConfirmSlot = {
      committed: () => void this.unconfirmed.delete(id),
      refused: () => {
        told.isTaken = false;
        this.unconfirmed.delete(id);
      },
    };
    const wasOver = this.isOver([...this.ready, id]);
    this.unconfirmed.add(id);
    this.queue('work').enqueue(messageOf(queueAddress('work'), id, { persistent: true }), slot);
    const { overflow } = this.limits;
    // Letters that `end` does not take count, too.
    if (this.isRoomy) expect(told.isTaken).toBe(overflow === 'drop-head' || !wasOver);
    if (told.isTaken) this.work.push(id);
    else this.refused++;
    if (!told.isTaken && overflow === 'reject-publish-dlx' && this.isRoomy) {
      this.unconfirmed.add(id);
      this.end.push(id);
    }
    this.trim();
  }

  async get(): Promise<void> {
    const [first] = this.ready;
    const work = this.queue('work');
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    const got = await work.get(work.holder(spec, { deliver: () => true, detached: () => undefined }));
    expect(got?.message.body().toString()).toBe(first);
    if (got !== null) this.held.push({ id: first!, delivery: got.delivery! });
  }

  settle(index: number, outcome: Outcome): void {
    const chosen = this.held[index % Math.max(1, this.held.length)];
    if (chosen === undefined) return;
    this.held = this.held.filter((each) => each !== chosen);
    if (outcome === 'reject') this.die(chosen.id);
    else if (outcome === 'accept') this.leave(chosen.id);
    this.trim();
    chosen.delivery.consumer.settle(chosen.delivery, outcome);
  }

  /** Somebody takes the oldest letter that has come. */
  async takeLetter(): Promise<void> {
    const got = await this.queue('end').get(null);
    if (got === null) return;
    const id = got.message.body().toString();
    const at = this.end.indexOf(id);
    expect(at).not.toBe(-1);
    this.end.splice(at, 1);
    this.unconfirmed.delete(id);
  }

  endTurn(): void {
    this.kit.platform.clock.scheduler.runUntilIdleSync();
  }

  /** The disk has synced what it was given. */
  commit(name: string): void {
    this.log(name).commit();
  }

  /** Everything that is under way arrives, or is refused. */
  async calm(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      await this.kit.platform.clock.advance(retryMs);
      for (const name of ['work', 'end']) this.commit(name);
    }
    this.endTurn();
  }

  async stop(): Promise<void> {
    await this.calm();
    this.check();
    await this.start(this.kit.logs.afterStop());
    this.trim();
  }

  /** What nobody was told of may be lost, and nothing else. */
  async crash(): Promise<void> {
    const mayBeLost = new Set(this.unconfirmed);
    const known = [...this.work, ...this.end];
    await this.start(this.kit.logs.afterCrash());
    const found = [...this.live('work'), ...this.live('end')];
    expect(known.filter((id) => !mayBeLost.has(id) && !found.includes(id))).toEqual([]);
    expect(found.filter((id) => !known.includes(id))).toEqual([]);
    // A letter that had left the ready ones on the disk goes out again, also when it has arrived; one that had not is ready again.
    const { live, pending } = this.log('work');
    const letters = [...live]
      .filter(([position]) => pending.has(position))
      .map(([, message]) => message.body().toString());
    this.work = this.live('work').filter((id) => !letters.includes(id));
    this.end = [...this.live('end'), ...letters];
    this.trim();
  }

  private async start(logs: TopologyKit['logs']): Promise<void> {
    this.restarts++;
    this.held = [];
    this.unconfirmed.clear();
    this.kit = await this.kit.restart(logs, this.kit.platform.clock.wallMs());
  }

  // ---- the model -------------------------------------------------------------------------------------------------

  private get ready(): string[] {
    return this.work.filter((id) => !this.held.some((each) => each.id === id));
  }

  private isOver(ids: readonly string[]): boolean {
    return ids.length > this.limits.lengthMax || ids.join('').length > this.limits.bytesMax;
  }

  private trim(): void {
    while (this.limits.overflow === 'drop-head' && this.isOver(this.ready)) this.die(this.ready[0]!);
  }

  private die(id: string): void {
    this.died++;
    this.work = this.work.filter((each) => each !== id);
    this.end.push(id);
  }

  private leave(id: string): void {
    this.work = this.work.filter((each) => each !== id);
    this.unconfirmed.delete(id);
  }

  // ---- judgement -------------------------------------------------------------------------------------------------

  private queue(name: string) {
    return this.kit.vhost.localQueue(name)!;
  }

  private log(name: string) {
    return this.kit.logs.logs.get(this.queue(name).incarnation)!;
  }

  /** What the log has of it, by position. */
  private live(name: string): string[] {
    const { live } = this.log(name);
    return [...live].sort(([a], [b]) => a - b).map(([, message]) => message.body().toString());
  }

  /** At any time: what waits and what is held. */
  checkCounts(): void {
    const work = this.queue('work');
    const { ready } = this;
    expect([work.readyCount, work.readyBytes]).toEqual([ready.length, ready.join('').length]);
    expect(work.unsettledCount).toBe(this.held.length);
  }

  /** When all is calm each message is in one place. */
  check(): void {
    this.checkCounts();
    const { pending } = this.log('work');
    const outbox = this.queue('work').outbox?.count ?? 0;
    const [inWork, inEnd] = [this.live('work'), this.live('end')];
    expect([pending.size, inWork.length - pending.size]).toEqual([outbox, this.work.length]);
    expect(inEnd).toHaveLength(this.queue('end').readyCount);
    expect([...inWork, ...inEnd].sort()).toEqual([...this.work, ...this.end].sort());
    if (this.isRoomy) expect([outbox, inWork]).toEqual([0, this.work]);
  }
}

type Step = (scene: Scene) => void | Promise<void>;

const steps = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.nat({ max: 12 }).map(
      (bytes): Step =>
        (s) =>
          s.publish(bytes),
    ),
  },
  { weight: 5, arbitrary: fc.constant<Step>((s) => s.get()) },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.nat({ max: 5 }), fc.constantFrom<Outcome>('accept', 'reject', 'release')).map(
      ([index, outcome]): Step =>
        (s) =>
          s.settle(index, outcome),
    ),
  },
  { weight: 3, arbitrary: fc.constant<Step>((s) => s.takeLetter()) },
  { weight: 4, arbitrary: fc.constant<Step>((s) => s.endTurn()) },
  {
    weight: 4,
    arbitrary: fc.constantFrom('work', 'end').map(
      (name): Step =>
        (s) =>
          s.commit(name),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((s) => s.stop()) },
  { weight: 1, arbitrary: fc.constant<Step>((s) => s.crash()) },
);

const none = Number.POSITIVE_INFINITY;

describe('a queue with limits and the queue of its dead letters, against plain lists', () => {
  for (const [kind, limits, endArgs] of [
    ['drop-head by length', { lengthMax: 3, bytesMax: none, overflow: 'drop-head' }, {}],
    ['drop-head by bytes', { lengthMax: none, bytesMax: 40, overflow: 'drop-head' }, {}],
    ['reject-publish by both', { lengthMax: 4, bytesMax: 40, overflow: 'reject-publish' }, {}],
    ['reject-publish-dlx', { lengthMax: 3, bytesMax: none, overflow: 'reject-publish-dlx' }, {}],
    [
      'drop-head, and letters are refused at times',
      { lengthMax: 3, bytesMax: none, overflow: 'drop-head' },
      { 'x-max-length': 2, 'x-overflow': 'reject-publish' },
    ],
    [
      'reject-publish, and letters are refused at times',
      { lengthMax: 3, bytesMax: none, overflow: 'reject-publish' },
      { 'x-max-length': 2, 'x-overflow': 'reject-publish' },
    ],
  ] as const) {
    it(`${kind}: nothing is lost or doubled, over stops and crashes, and counts are right`, async () => {
      const seen = { died: 0, refused: 0, restarts: 0 };
      await fc.assert(
        fc.asyncProperty(fc.array(steps, { maxLength: 60, size: 'max' }), async (run) => {
          const scene = await Scene.open(limits, endArgs);
          for (const step of run) {
            await step(scene);
            scene.checkCounts();
          }
          await scene.calm();
          scene.check();
          for (const key of ['died', 'refused', 'restarts'] as const) seen[key] += scene[key];
        }),
        { numRuns: 150, seed: 3 },
      );
      expect([seen.died > 50, seen.restarts > 50, seen.refused > 50]).toEqual([
        true,
        true,
        limits.overflow !== 'drop-head' || 'x-max-length' in endArgs,
      ]);
    });
  }
});
