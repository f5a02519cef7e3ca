import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerNode } from '../broker-node.js';
import { type EtcdNode, RealCluster } from '../real-cluster.js';
import { Machine } from './machine.js';
import { readMirrors } from './mirrors.js';
import { Shims } from './shims.js';
import type { Timeline } from './timeline.js';

const recoverySeconds = 60;

/** Three brokers, each on a machine of its own, and three members of etcd, of which everything can go wrong. */
export class Stage {
  readonly cluster: RealCluster;
  readonly leaseMs: number;
  /** What brokers must not do beside what clients see. */
  readonly faults: string[] = [];
  private readonly machines: ReadonlyMap<string, Machine>;
  private readonly shims: Shims;
  private readonly controls: string;
  private readonly timeline: Timeline;
  /** Those that we ended, and did not start again. */
  private readonly killed = new Set<BrokerNode>();

  private constructor(
    cluster: RealCluster,
    machines: ReadonlyMap<string, Machine>,
    shims: Shims,
    controls: string,
    timeline: Timeline,
  ) {
    this.cluster = cluster;
    this.leaseMs = cluster.leaseSeconds * 1000;
    this.machines = machines;
    this.shims = shims;
    this.controls = controls;
    this.timeline = timeline;
  }

  /** All of it up. */
  static async start(leaseSeconds: number, timeline: Timeline): Promise<Stage> {
    const shims = Shims.compile();
    const controls = mkdtempSync(join(tmpdir(), 'chapar-controls-'));
    const machines = new Map<string, Machine>();
    for (const letter of ['a', 'b', 'c']) {
      machines.set(`chapar@${letter}`, await Machine.make(shims, join(controls, letter)));
    }
    const cluster = await RealCluster.build({
      leaseSeconds,
      etcdMembers: 3,
      wrapperAt: ({ name }) => machines.get(name)!.wrapper,
      environmentAt: ({ name }) => machines.get(name)!.environment,
    });
    const stage = new Stage(cluster, machines, shims, controls, timeline);
    try {
      for (const node of cluster.nodes) {
        node.dataDir = stage.machine(node).dataDir;
        node.start();
      }
      for (const node of cluster.nodes) await node.ready();
      await cluster.linked();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  machine(node: BrokerNode): Machine {
    return this.machines.get(node.name)!;
  }

  async kill(node: BrokerNode): Promise<void> {
    this.killed.add(node);
    await node.kill9();
  }

  /** Does not wait until it is ready: it may not be able to yet. */
  revive(node: BrokerNode): void {
    this.killed.delete(node);
    if (!node.isRunning) node.start();
  }

  /** Whoever ended by itself is started again. That is a fault unless its disk is to blame. */
  look(): void {
    for (const node of this.cluster.nodes) {
      if (node.isRunning || this.killed.has(node)) continue;
      const { msg } = node.lines.findLast(({ level }) => level !== 'info') ?? { msg: 'it said nothing' };
      this.timeline.note(`${node.name} ended by itself: ${msg}; it is started again`);
      if (!this.machine(node).isBad) this.faults.push(`crashed: ${node.name} ended by itself: ${msg}`);
      node.start();
    }
  }

  /** All ways are open again, all programs run and have found each other. Throws when that takes too long. */
  async recover(): Promise<void> {
    this.cluster.landscape.healAll();
    const deadline = Date.now() + recoverySeconds * 1000;
    for (const member of this.cluster.members) await healthy(member, deadline);
    for (const node of this.cluster.nodes) {
      for (let isReady = false; !isReady; ) {
        this.look();
        isReady = await Promise.race([node.ready().then(...readyOrNot), sleep(1000, false)]);
        if (!isReady && Date.now() > deadline) {
          throw new Error(`${node.name} was not ready ${recoverySeconds} s after all was healed`);
        }
      }
    }
    await this.cluster.linked(Math.max(1, (deadline - Date.now()) / 1000));
    await this.whole(deadline);
  }

  /** All who are to have a copy of a mirrored queue have it. One that was lost with its disk cannot come back. */
  private async whole(deadline: number): Promise<void> {
    for (;;) {
      const mirrors = (await readMirrors(this.cluster.members)) ?? [];
      const here = this.cluster.nodes.map(({ name }) => name);
      const torn = mirrors.filter(({ inSync, replicas }) => {
        return replicas.some((name) => here.includes(name) && !inSync.includes(name));
      });
      if (torn.length === 0) return;
      if (Date.now() > deadline) {
        const shown = torn.map(({ queue, leader, inSync }) => `${queue} of ${leader} (in sync ${inSync.join(', ')})`);
        throw new Error(`copies are missing ${recoverySeconds} s after all was healed: ${shown.join('; ')}`);
      }
      await sleep(100);
    }
  }

  async close(): Promise<void> {
    await this.cluster.close();
    for (const machine of this.machines.values()) await machine.close();
    rmSync(this.controls, { recursive: true, force: true });
    this.shims.remove();
  }
}

const readyOrNot = [() => true, () => false] as const;

/** By HTTP: etcdctl is waited for with the whole process standing still. */
async function healthy({ etcd }: EtcdNode, deadline: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`${etcd.endpoint}/health`, { signal: AbortSignal.timeout(2000) }).then(
      async (response) => JSON.stringify(await response.json()),
      (error: Error) => error.message,
    );
    if (answer.includes('"health":"true"')) return;
    if (Date.now() > deadline) {
      throw new Error(`etcd ${etcd.name} was not healthy ${recoverySeconds} s after all was healed: ${answer}`);
    }
    await sleep(100);
  }
}
