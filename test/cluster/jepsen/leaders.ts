import { setTimeout as sleep } from 'node:timers/promises';
import type { EtcdNode } from '../real-cluster.js';
import { type Mirror, readMirrors } from './mirrors.js';
import type { Timeline } from './timeline.js';

const everyMs = 200;

/** Watches in etcd who leads each mirrored queue and who is in sync with it, and notes when that changes. */
export class Leaders {
  /** Times that a queue got another leader. */
  changes = 0;
  /** Times that a queue's leader began anew or another one did. */
  epochs = 0;
  private readonly members: readonly EtcdNode[];
  private readonly timeline: Timeline;
  private readonly known = new Map<string, Mirror>();
  private isOver = false;
  private readonly watching: Promise<void>;

  constructor(members: readonly EtcdNode[], timeline: Timeline) {
    this.members = members;
    this.timeline = timeline;
    this.watching = this.watch();
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.watching;
  }

  private async watch(): Promise<void> {
    for (; !this.isOver; await sleep(everyMs)) {
      for (const mirror of (await readMirrors(this.members)) ?? []) this.learn(mirror);
    }
  }

  private learn(mirror: Mirror): void {
    const { queue, leader, epoch, inSync } = mirror;
    const before = this.known.get(queue);
    // A member of etcd that was away may tell what was.
    if (before !== undefined && before.epoch > epoch) return;
    this.known.set(queue, mirror);
    if (before?.epoch === epoch && before.inSync.join() === inSync.join()) return;
    if (before !== undefined && before.epoch !== epoch) this.epochs += epoch - before.epoch;
    if (before !== undefined && before.leader !== leader) this.changes++;
    this.timeline.note(`${queue}: ${leader} leads, epoch ${epoch}, in sync ${inSync.join(', ')}`);
  }
}
