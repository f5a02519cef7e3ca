import { type LedQueue, SimEtcd, SimPeers, type Steward } from '@chapar/cluster';
import type { JsonValue } from '@chapar/core';
import { type SimRandom, type SimScheduler, SimWorld } from '@chapar/platform';
import { Ledger } from '../checks/ledger.js';
import { Troubles } from '../checks/troubles.js';
import type { ClientWorld } from '../clients/client.js';
import { Trace } from '../trace.js';
import { Member, type MemberOwner } from './member.js';

/** What is wrong with the world is said aloud, and no fault of ours. */
const expectedErrors = /^etcd has raised NOSPACE/;

export interface SimClusterOptions {
  readonly seed: number;
  readonly nodes: readonly string[];
  /** How many of the last lines of the trace are kept; 0: only its hash. */
  readonly traceLines: number;
}

/** Machines, the ways between them, an etcd that all share, and what clients hold against them: everything from one seed, on one time. */
export class SimCluster implements ClientWorld, MemberOwner {
  readonly world: SimWorld;
  readonly random: SimRandom;
  readonly scheduler: SimScheduler;
  readonly trace: Trace;
  readonly troubles: Troubles;
  readonly ledger: Ledger;
  readonly members = new Map<string, Member>();
  readonly etcd: SimEtcd;
  readonly peers: SimPeers;
  /** Who led which mirrored queue in which epoch. */
  private readonly leaders = new Map<string, string>();

  constructor({ seed, nodes, traceLines }: SimClusterOptions) {
    this.world = new SimWorld(seed);
    this.random = this.world.random.fork('cluster');
    this.scheduler = this.world.scheduler;
    const now = () => this.scheduler.nowMs;
    this.trace = new Trace(traceLines);
    this.troubles = new Troubles(now);
    this.ledger = new Ledger(now, this.troubles);
    this.etcd = new SimEtcd(this.scheduler);
    this.peers = new SimPeers(this.scheduler, this.random.fork('peers'));
    this.peers.jitterMs = 0.4;
    for (const name of nodes) this.addMember(name, nodes.length === 1);
  }

  private addMember(name: string, isAlone: boolean): void {
    const platform = this.world.machine(name);
    const random = this.random.fork(name);
    const { delayMs } = platform.disk;
    delayMs.write = 0.05 + random.unit() * 0.2;
    delayMs.sync = 0.2 + random.unit() * 3;
    delayMs.read = random.chance(0.5) ? 0 : 0.1;
    // Machines agree on the time to a few seconds, and on how long one is to a few parts in ten thousand.
    platform.clock.jumpWall((random.unit() - 0.5) * 4_000);
    platform.clock.drift(1 + (random.unit() - 0.5) / 2_000);
    platform.log.setLevel('warn');
    platform.log.listen = ({ level, message }) => {
      this.note(name, `${level}: ${message}`);
      if (level === 'error' && !expectedErrors.test(message))
        this.ledger.violation(`${name} logs an error: ${message}`);
    };
    this.members.set(name, new Member(name, platform, random.fork('doors'), this, isAlone ? null : this));
  }

  // -- for clients ---------------------------------------------------------------------------------------------------

  member(name: string): Member {
    const member = this.members.get(name);
    if (member === undefined) throw new Error(`there is no node ${name}`);
    return member;
  }

  /** The node whose disk that is, while it runs; null: none that runs. */
  nodeOf(dataId: string): string | null {
    for (const { name, node } of this.members.values()) if (node?.cluster?.dataId === dataId) return name;
    return null;
  }

  note(who: string, what: string): void {
    this.trace.note(this.scheduler.nowMs, who, what);
  }

  /** An administrator wants something of a node; it may fail, or come to nothing. */
  manages(name: string, what: (steward: Steward) => Promise<unknown>): void {
    const steward = this.member(name).node?.cluster?.steward;
    if (steward === undefined) return;
    this.troubles.handedOver();
    what(steward).catch((error: unknown) => this.note(name, `could not: ${String(error)}`));
  }

  /** An administrator sets or removes (null) the policy of this name, on the first node that is there; it may come to nothing. */
  sets(policy: string, value: JsonValue): void {
    const records = [...this.members.values()]
      .map(({ node }) => node?.broker.records)
      .find((each) => each !== undefined);
    const change =
      value === null ? records?.delete('policies', '/', policy) : records?.put('policies', ['/', policy], value);
    change?.catch((error: unknown) => this.note('world', `no policy: ${String(error)}`));
    this.troubles.handedOver();
  }

  // -- of members ----------------------------------------------------------------------------------------------------

  up({ name }: Member): void {
    this.note(name, 'is up');
    this.troubles.end(`${name} is down`);
  }

  down({ name }: Member, how: string): void {
    this.note(name, `is ${how}`);
    this.troubles.begin(`${name} is down`, name);
    this.troubles.end(`${name} is stopped`);
    this.ledger.nodeDied(name);
  }

  /** How often a mirrored queue came to be led by another node. */
  leaderChanges = 0;
  private readonly lastLeader = new Map<string, string>();

  leads({ name, life }: Member, { incarnation, epoch, queue }: LedQueue): void {
    this.note(name, `leads ${queue.name} in epoch ${epoch}`);
    const isFollowed = this.lastLeader.has(incarnation) && this.lastLeader.get(incarnation) !== name;
    if (isFollowed) this.leaderChanges++;
    this.lastLeader.set(incarnation, name);
    const key = `${incarnation} ${epoch}`;
    const before = this.leaders.get(key);
    this.leaders.set(key, `${name} in its life ${life}`);
    if (before === undefined) return;
    this.ledger.violation(`${name} leads ${queue.name} in epoch ${epoch}, in which ${before} did`);
  }

  fault({ name }: Member, what: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.ledger.violation(`${name}: ${what}: ${text}`);
  }

  // -- time ----------------------------------------------------------------------------------------------------------

  run(ms: number): Promise<void> {
    return this.scheduler.advance(ms);
  }

  /** Runs until it holds; false: it does not within `limitMs`. */
  async until(holds: () => boolean, limitMs: number, stepMs = 20): Promise<boolean> {
    const endMs = this.scheduler.nowMs + limitMs;
    while (!holds()) {
      if (this.scheduler.nowMs >= endMs) return false;
      await this.run(stepMs);
    }
    return true;
  }

  get areAllUp(): boolean {
    return [...this.members.values()].every(({ state }) => state === 'up');
  }
}
