import {
  type ConfirmSlot,
  type Incarnation,
  keyedMessage,
  type Later,
  type Position,
  type SharedKeyedLog,
} from '@chapar/core';
import type { MirroredQueue } from '../remote/mirrored-queue.js';
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

  constructor(name: string, incarnations: readonly Incarnation[], shards: Shards) {
    this.name = name;
    this.incarnations = incarnations;
    this.shards = shards;
    const faces = shards.parts.faces();
    this.faces = incarnations.map((incarnation, index) => faces.face(propertiesOf(incarnation, `${name}/${index}`)));
    this.barrier = new Barrier(this, shards);
  }

  put(key: string, value: Buffer, slot: ConfirmSlot | null, onlyAbsent = false): void {
    this.faceOf(key).enqueue(keyedMessage(key, value, onlyAbsent ? 0 : null), slot);
  }

  remove(key: string, slot: ConfirmSlot | null, onlyAt: Position | null): void {
    this.faceOf(key).enqueue(keyedMessage(key, nothing, onlyAt), slot);
  }

  isOurs(key: string): boolean {
    return this.shards.reign(this.incarnations[shardOf(key, this.incarnations.length)]!) !== null;
  }

  settled(): Later<void> {
    return this.barrier.wait();
  }

  /** A fold of this node has gone on. */
  progressed(): void {
    this.barrier.look();
  }

  /** Of each shard the number of the last that was put here and has no verdict; 0: all have. */
  underWay(): number[] {
    return this.faces.map(({ publishes }) => publishes.lastKept);
  }

  private faceOf(key: string): MirroredQueue {
    return this.faces[shardOf(key, this.faces.length)]!;
  }
}

function propertiesOf(incarnation: Incarnation, name: string) {
  return { name, vhost: '', durable: true, autoDelete: false, owner: null, arguments: {}, incarnation };
}
