import {
  type ChangeSink,
  type ConfirmSlot,
  type Incarnation,
  type KeyedCondition,
  keyedMessage,
  type Later,
  letterOrigin,
  type Origin,
  type Provenance,
  type SharedKeyedLog,
} from '@chapar/core';
import type { MirroredQueue } from '../remote/mirrored-queue.js';
import { Answers } from './answers.js';
import { Barrier } from './barrier.js';
import { shardOf } from './shard-name.js';
import type { Shards } from './shards.js';

const nothing = Buffer.alloc(0);

/**
 * A keyed log of all nodes. What is put goes to the leader of the key's shard as a publish to a mirrored queue does, over its face, which
 * keeps it over changes of leaders; what comes of it each node is told by the fold of its own copy.
 */
export class ClusterKeyedLog implements SharedKeyedLog {
  readonly name: string;
  /** By index. */
  readonly incarnations: readonly Incarnation[];
  private readonly shards: Shards;
  private readonly faces: readonly MirroredQueue[];
  private readonly barrier: Barrier;
  private readonly answers: Answers;

  constructor(name: string, incarnations: readonly Incarnation[], shards: Shards) {
    this.name = name;
    this.incarnations = incarnations;
    this.shards = shards;
    const faces = shards.parts.faces();
    this.faces = incarnations.map((incarnation, index) => faces.face(propertiesOf(incarnation, `${name}/${index}`)));
    this.barrier = new Barrier(this, shards);
    const foldUpTo = (shard: number): number =>
      shards.fold(incarnations[shard]!)?.upToOf(shards.parts.membership.boot) ?? 0;
    this.answers = new Answers(incarnations.length, foldUpTo);
  }

  put(
    key: string,
    value: Buffer,
    slot: ConfirmSlot | null,
    onlyIf: KeyedCondition | null = null,
    from?: Provenance,
  ): void {
    this.faces[this.shardOf(key)]!.enqueue(keyedMessage(key, value, onlyIf), slot, from);
  }

  remove(key: string, slot: ConfirmSlot | null, onlyIf: KeyedCondition | null, from?: Provenance): void {
    this.put(key, nothing, slot, onlyIf, from);
  }

  change(key: string, value: Buffer | null, onlyIf: KeyedCondition | null): Promise<boolean> {
    return new Promise((resolve) => this.submit(key, value, onlyIf, { changed: resolve }));
  }

  submit(key: string, value: Buffer | null, onlyIf: KeyedCondition | null, sink: ChangeSink): void {
    const shard = this.shardOf(key);
    const face = this.faces[shard]!;
    const slot = this.answers.slot(shard, face.publishes.sequence + 1, sink);
    face.enqueue(keyedMessage(key, value ?? nothing, onlyIf), slot);
  }

  /** An entry that has something published for it leaves its shard as a dead letter leaves its queue, whichever node sees to it. */
  originOf(key: string): Origin {
    return letterOrigin(this.incarnations[this.shardOf(key)]!);
  }

  isOurs(key: string): boolean {
    return this.shards.reign(this.incarnations[this.shardOf(key)]!) !== null;
  }

  settled(): Later<void> {
    return this.barrier.wait();
  }

  /** A fold of this node has gone on. */
  progressed(shard: number): void {
    this.answers.look(shard);
    this.barrier.look();
  }

  /** Of each shard the number of the last that was put here and has no verdict; 0: all have. */
  underWay(): number[] {
    return this.faces.map(({ publishes }) => publishes.lastKept);
  }

  /** What else was put here and has no verdict: under somebody else's numbers. */
  lettersUnderWay(): [shard: number, origin: Origin, sequence: number][] {
    return this.faces.flatMap(({ publishes }, shard) =>
      [...publishes.lettersKept].map(({ origin, sequence }): [number, Origin, number] => [shard, origin, sequence]),
    );
  }

  private shardOf(key: string): number {
    return shardOf(this.shards.familyOf(this.name, key), this.faces.length);
  }
}

function propertiesOf(incarnation: Incarnation, name: string) {
  return { name, vhost: '', durable: true, autoDelete: false, owner: null, arguments: {}, incarnation };
}
