import type { Answer, MirrorRecord, Proposal, Pull, ReplicaEntry } from '@chapar/cluster';
import { firstNonce, usualMin } from '@chapar/cluster';
import { SimRandom } from '@chapar/platform';
import { Checks, foldOf, Violation } from './checks.js';
import { SimRecord } from './etcd.js';
import { SimNode } from './node.js';
import { Producer, type Publishes, type Verdicts } from './producer.js';
import type { SimReplicaLog } from './replica-log.js';
import { type Rules, soundRules } from './rules.js';
import { Timeline } from './timeline.js';

const leaseMs = 1500;
/** How long all goes wrong, and how long afterwards everything may take to be well. */
const stormMs = 12_000;
const calmMs = 30_000;

/** One mirrored queue on a few nodes, from one seed: their disks, what they say to each other and to etcd, and what goes wrong. */
export class World {
  readonly time = new Timeline();
  readonly random: SimRandom;
  /** Of what people wish, besides all else. */
  readonly wishes: SimRandom;
  readonly rules: Rules;
  readonly checks = new Checks();
  readonly etcd: SimRecord;
  readonly nodes: SimNode[];
  readonly producers: Producer[];
  isHealed = false;
  /** Nodes that do not hear each other. */
  private cut: ReadonlySet<string> = new Set();
  private readonly lost: SimReplicaLog[] = [];
  /** So many that one of those that have what was confirmed is left. */
  private disksToLose: number;
  private readonly troubleShare: number;
  /** Of what is ready, at each turn of the consumers. */
  consumedShare: number;

  constructor(seed: number, rules: Rules = soundRules) {
    this.random = new SimRandom(seed);
    this.wishes = new SimRandom(seed + 1_000_000);
    this.rules = rules;
    this.troubleShare = [0, 0.05, 0.3][this.random.integer(3)]!;
    this.consumedShare = [0.03, 0.15, 0.5][this.random.integer(3)]!;
    const names = ['a', 'b', 'c', 'd', 'e'].slice(0, this.random.chance(0.7) ? 3 : 4 + this.random.integer(2));
    this.nodes = names.map((name) => new SimNode(this, name));
    const replicas = this.nodes.map(({ id }) => id);
    // An empty queue is in sync anywhere.
    const min = usualMin(replicas.length);
    this.disksToLose = min - 1;
    this.etcd = new SimRecord({ incarnation: 'q', replicas, leader: null, epoch: 0, inSync: replicas, min, nonce: '' });
    this.etcd.onChange = (record, revision) => this.tell(record, revision);
    this.producers = ['x', 'y'].map((origin) => new Producer(this, origin));
  }

  /** Throws a Violation when a promise is broken. */
  run(): void {
    this.begin();
    for (const producer of this.producers) this.every(30, () => producer.tick());
    this.every(60 * 2 ** this.random.integer(4), () => this.harm());
    while (this.time.step(stormMs));
    this.heal();
    for (const producer of this.producers) producer.isFinished = true;
    while (this.time.nowMs < stormMs + calmMs) {
      const until = this.time.nowMs + 500;
      while (this.time.step(until));
      if (!this.isQuiet()) continue;
      this.finish();
      return;
    }
    throw new Violation(`it does not come to rest: ${this}`);
  }

  /** The queue is declared before anybody is there; or it names who leads first, who begins without a write. */
  private begin(): void {
    if (this.wishes.chance(0.6)) {
      for (const node of this.nodes) node.start();
      return;
    }
    const sessions = this.nodes.map((node) => this.register(node));
    const { record } = this.etcd;
    this.etcd.put({ ...record, leader: record.replicas[0]!, epoch: 1, nonce: firstNonce });
    for (const [i, node] of this.nodes.entries()) node.start(sessions[i]!);
    if (this.nodes[0]!.replica!.leader !== null) this.checks.counts.named++;
  }

  private every(everyMs: number, run: () => void): void {
    const again = () => {
      run();
      this.time.after(1 + this.random.integer(2 * everyMs), again);
    };
    this.time.after(everyMs, again);
  }

  // -- etcd --------------------------------------------------------------------------------------------------------

  /** News of the record come late, to each node at another time. */
  private tell(record: MirrorRecord, revision: number): void {
    for (const node of this.nodes)
      if (node.isUp)
        this.time.after(
          this.lagMs(),
          node.within(() => node.seen(record, revision)),
        );
    for (const producer of this.producers) {
      const leader = this.nodes.find(({ id }) => id === record.leader)?.name ?? null;
      this.time.after(this.lagMs(), () => producer.sees(leader, record.epoch));
    }
  }

  private lagMs(): number {
    return this.random.integer(!this.isHealed && this.random.chance(0.1) ? 1500 : 60);
  }

  register(node: SimNode): number {
    const session = this.etcd.register(node.id);
    const { life, id } = node;
    const renew = () => {
      if (this.etcd.sessions.get(id) !== session) return;
      // A paused process renews nothing; one that is back does, if its lease is still there.
      if (node.life === life && this.time.nowMs >= node.pausedUntilMs) heardAtMs = this.time.nowMs;
      if (this.time.nowMs - heardAtMs >= leaseMs) this.etcd.expire(id, session);
      else this.time.after(100, renew);
      if (node.life === life && !this.etcd.sessions.has(id))
        this.time.after(
          10,
          node.within(() => this.restart(node)),
        );
    };
    let heardAtMs = this.time.nowMs;
    renew();
    return session;
  }

  /** A process whose registration has ended ends as well, and registers anew. */
  private restart(node: SimNode): void {
    this.stop(node);
    node.start();
  }

  /** A request may be lost, come late, or be applied without anybody hearing of it. */
  writeRecord(node: SimNode, proposal: Proposal, guard: number, answer: (isApplied: boolean) => void): void {
    const { random, etcd } = this;
    const writer = { id: node.id, session: node.session };
    if (!this.isHealed && random.chance(0.15)) return;
    const delay = () => random.integer(!this.isHealed && random.chance(0.2) ? 1500 : 20);
    this.time.after(delay(), () => {
      const isApplied = etcd.write(proposal, guard, writer);
      if (isApplied && proposal.joiner !== null) this.checks.counts.joins++;
      if (isApplied && !this.isHealed) this.trouble(node);
      if (this.isHealed || !random.chance(0.2)) this.time.after(delay(), () => answer(isApplied));
    });
  }

  // -- the network -------------------------------------------------------------------------------------------------

  private deliver(from: string, to: string, run: () => void): void {
    const { random } = this;
    if (!this.isHealed && (random.chance(0.03) || this.cut.has(from) !== this.cut.has(to))) return;
    this.time.after(1 + random.integer(!this.isHealed && random.chance(0.05) ? 700 : 12), run);
  }

  sendPull(
    from: SimNode,
    leader: string,
    pull: Pull,
    take: (answer: Answer, entries: readonly ReplicaEntry[]) => void,
  ): void {
    const to = this.nodes.find(({ id }) => id === leader);
    if (to === undefined) return;
    const { life } = from;
    this.deliver(from.name, to.name, () => {
      if (!to.isUp) return;
      to.within(() => {
        const found = to.pulled(pull);
        if (found === null) return;
        this.deliver(to.name, from.name, () => {
          if (from.life === life) take(found.answer, found.entries);
        });
      })();
    });
  }

  sendPublishes(name: string, publishes: Publishes, told: (verdicts: Verdicts) => void): void {
    const to = this.nodes.find((node) => node.name === name)!;
    this.deliver(publishes.origin, to.name, () => {
      if (to.isUp)
        to.within(() =>
          to.published(publishes, (verdicts) => this.deliver(to.name, publishes.origin, () => told(verdicts))),
        )();
    });
  }

  // -- what goes wrong ---------------------------------------------------------------------------------------------

  syncMs({ slowUntilMs }: SimNode): number {
    return 1 + this.random.integer(this.time.nowMs < slowUntilMs ? 300 : 10);
  }

  private harm(): void {
    const { random, nodes, time } = this;
    if (this.isHealed) return;
    const node = nodes[random.integer(nodes.length)]!;
    const what = random.integer(28);
    if (what < 4) this.crash(node);
    else if (what === 4) this.loseDisk(node);
    else if (what === 5) for (const each of nodes) this.crash(each);
    else if (what < 8) node.pausedUntilMs = time.nowMs + random.integer(2 * leaseMs);
    else if (what === 8 || what > 24) node.slowUntilMs = time.nowMs + random.integer(3000);
    else if (what < 11) this.cut = new Set([node.name, ...(random.chance(0.5) ? ['x'] : [])]);
    else if (what < 15) this.cut = new Set();
  }

  /** Right after the record changed is when most can go wrong. */
  private trouble(writer: SimNode): void {
    const { random, time, nodes } = this;
    if (random.chance(this.troubleShare)) time.after(random.integer(500), () => this.crash(writer));
    if (random.chance(this.troubleShare)) this.cut = new Set([nodes[random.integer(nodes.length)]!.name]);
  }

  private stop(node: SimNode): void {
    // The page cache outlives a process, and not a power cut.
    const { unsyncedCount } = node.log;
    node.stop(this.random.chance(0.5) ? unsyncedCount : this.random.integer(unsyncedCount + 1));
  }

  private crash(node: SimNode): void {
    if (!node.isUp) return;
    this.stop(node);
    const { life } = node;
    // Often back while its lease still runs.
    this.time.after(20 + this.random.integer(this.random.chance(0.5) ? 400 : 3 * leaseMs), () => {
      if (node.life === life && !node.isUp) node.start();
    });
  }

  private loseDisk(node: SimNode): void {
    if (this.disksToLose === 0) return;
    this.disksToLose--;
    this.crash(node);
    this.lost.push(node.log);
    node.loseDisk();
  }

  private heal(): void {
    this.isHealed = true;
    this.consumedShare = 0;
    this.cut = new Set();
    for (const node of this.nodes) node.pausedUntilMs = node.slowUntilMs = 0;
  }

  // -- what should hold --------------------------------------------------------------------------------------------

  /** Disks on which the position is safe, those included that were lost since. */
  copies(position: number): number {
    return [...this.nodes.map(({ log }) => log), ...this.lost].filter((log) => log.isDurable(position)).length;
  }

  private get leading(): SimNode | undefined {
    const { record } = this.etcd;
    return this.nodes.find(({ id, replica }) => id === record.leader && replica?.leader?.epoch === record.epoch);
  }

  private isQuiet(): boolean {
    const node = this.leading;
    if (node === undefined || this.nodes.some(({ isUp }) => !isUp)) return false;
    if (this.producers.some(({ open }) => open.size > 0)) return false;
    const { inSync, replicas } = this.etcd.record;
    const { committed, ledger, changesCommitted } = node.replica!.leader!;
    if (inSync.length < replicas.length || committed < node.log.end || changesCommitted < ledger.number) return false;
    return this.nodes.every(({ log }) => log.committed === committed && log.end === committed);
  }

  private finish(): void {
    const { log } = this.leading!;
    this.checks.holds(log);
    this.checks.inOrder();
    const folds = this.nodes.map((node) => foldOf(node.log, log.committed));
    for (const fold of folds) if (fold !== folds[0]) throw new Violation(`replicas differ: ${folds[0]} and ${fold}`);
  }

  toString(): string {
    const nodes = this.nodes.map(({ id, log, isUp, replica }) => {
      const part = !isUp
        ? 'down'
        : replica!.leader !== null
          ? 'leads'
          : replica!.follower !== null
            ? 'follows'
            : 'waits';
      return `${id} ${part} end ${log.end} committed ${log.committed}`;
    });
    return [JSON.stringify(this.etcd.record), ...nodes, ...this.producers.map(String)].join('; ');
  }
}
