import {
  CannotError,
  type DataId,
  followerPatience,
  Operations,
  type OperationsCluster,
  type Proposal,
  type QueueMirrorRecord,
  Replica,
} from '@chapar/cluster';
import type { JsonValue } from '@chapar/core';
import { type SimPlatform, SimWorld } from '@chapar/platform';
import { SimReplicaLog } from './replica-log.js';

const settings = { patience: { ...followerPatience, backOffMs: 0 }, ledgerMax: 10, answerMax: 10 };

type Answerer = (body: JsonValue) => JsonValue | Promise<JsonValue>;

/** A node that has copies of queues and carries out what people want of them. */
export class OperatedNode implements OperationsCluster {
  readonly operations: Operations;
  readonly replicas = new Map<string, Replica>();
  readonly logs = new Map<string, SimReplicaLog>();
  readonly answerers = new Map<string, Answerer>();
  readonly self: DataId;
  readonly cluster: OperatedNodes;
  readonly platform: SimPlatform;

  constructor(cluster: OperatedNodes, self: DataId) {
    this.cluster = cluster;
    this.self = self;
    this.platform = cluster.world.machine(`10.0.0.${cluster.nodes.size + 1}`);
    this.operations = new Operations(this, this.platform);
  }

  get copies() {
    return {
      replica: (incarnation: string) => this.replicas.get(incarnation) ?? null,
      look: (incarnation: string) => this.tick(incarnation),
    };
  }

  get resting(): ReadonlySet<DataId> {
    return this.cluster.resting;
  }

  records(): Iterable<QueueMirrorRecord> {
    return [...this.cluster.records.values()].map(({ record }) => record);
  }

  record(incarnation: string): QueueMirrorRecord | null {
    return this.cluster.records.get(incarnation)?.record ?? null;
  }

  isLive(member: DataId): boolean {
    return this.cluster.nodes.has(member) && !this.cluster.gone.has(member);
  }

  nameOf(member: DataId): string {
    return `chapar@${member}`;
  }

  async ask(member: DataId, kind: string, body: JsonValue): Promise<JsonValue> {
    const there = this.cluster.nodes.get(member);
    if (there === undefined || !this.isLive(member)) throw new Error('there is no link');
    const asked = there.answerers.get(kind)!(JSON.parse(JSON.stringify(body)));
    return JSON.parse(JSON.stringify(await asked));
  }

  answer(kind: string, answerer: Answerer): void {
    this.answerers.set(kind, answerer);
  }

  get nowMs(): number {
    return this.platform.clock.monotonicMs();
  }

  /** Learns of a record: has a copy where it names this node. */
  seen(record: QueueMirrorRecord, revision: number): void {
    const { incarnation } = record;
    let replica = this.replicas.get(incarnation);
    if (replica === undefined) {
      if (!record.replicas.includes(this.self)) return;
      const log = new SimReplicaLog();
      const session = this.cluster.sessionOf(this.self);
      replica = new Replica({ self: this.self, session, incarnation }, record, revision, log, settings);
      this.replicas.set(incarnation, replica);
      this.logs.set(incarnation, log);
    }
    replica.seen(record, revision);
    this.tick(incarnation);
  }

  tick(incarnation: string): void {
    const replica = this.replicas.get(incarnation)!;
    const { sessions, resting } = this.cluster;
    const isLive = (id: DataId) => this.isLive(id);
    const proposal = replica.tick(this.nowMs, { sessions, isLive, resting });
    if (proposal !== null) this.cluster.write(this, replica, proposal);
  }

  /** Syncs, and pulls from whoever leads. */
  work(incarnation: string): void {
    const replica = this.replicas.get(incarnation)!;
    const log = this.logs.get(incarnation)!;
    const { follower } = replica;
    const leader = follower === null || this.cluster.gone.has(follower.leader) ? null : follower.leader;
    const pull = leader === null ? null : follower!.pull();
    if (pull !== null) {
      const there = this.cluster.nodes.get(leader!)!;
      const answer = there.replicas.get(incarnation)?.leader?.pulled(pull, there.nowMs) ?? null;
      const entries = (answer?.entries ?? []).flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, i) => there.logs.get(incarnation)!.entry(first + i)!),
      );
      if (answer === null) replica.broken();
      else follower!.take(answer, entries);
    }
    log.sync(log.operations);
    replica.synced(log.operations);
  }

  publish(incarnation: string): number {
    const log = this.logs.get(incarnation)!;
    const provenance = { origin: 'n', sequence: log.end + 1, low: 0 };
    log.append({ position: log.end + 1, provenance, bytes: new Uint8Array() });
    this.replicas.get(incarnation)!.leader!.appended([provenance]);
    return log.end;
  }
}

/** Some nodes with some queues, where writes and messages take a little time and nothing is lost. */
export class OperatedNodes {
  readonly world = new SimWorld(1);
  private readonly clock = this.world.machine('10.0.1.1').clock;
  readonly nodes = new Map<DataId, OperatedNode>();
  readonly records = new Map<string, { readonly record: QueueMirrorRecord; readonly revision: number }>();
  readonly resting = new Set<DataId>();
  readonly gone = new Set<DataId>();
  /** Proposals of which nobody hears whether they were written; they are. */
  unanswered = 0;
  writes = 0;
  private revision = 1;

  constructor(names: string) {
    for (const name of names) this.nodes.set(name, new OperatedNode(this, name));
    this.every(10, (node, incarnation) => node.work(incarnation));
    this.every(50, (node, incarnation) => node.tick(incarnation));
  }

  private every(ms: number, run: (node: OperatedNode, incarnation: string) => void): void {
    const again = (): void => {
      for (const node of this.live()) for (const incarnation of [...node.replicas.keys()]) run(node, incarnation);
      this.clock.after(ms, again);
    };
    this.clock.after(ms, again);
  }

  node(name: string): OperatedNode {
    return this.nodes.get(name)!;
  }

  *live(): Iterable<OperatedNode> {
    for (const node of this.nodes.values()) if (!this.gone.has(node.self)) yield node;
  }

  sessionOf(name: DataId): number {
    return [...this.nodes.keys()].indexOf(name) + 1;
  }

  get sessions(): ReadonlyMap<DataId, number> {
    return new Map([...this.live()].map(({ self }) => [self, this.sessionOf(self)]));
  }

  declare(name: string, replicas: string, fields: Partial<QueueMirrorRecord> = {}): void {
    const members = [...replicas];
    const min = Math.ceil(members.length / 2);
    const record: QueueMirrorRecord = {
      incarnation: name,
      vhost: '/',
      name,
      wish: { copies: members.length, min: null },
      replicas: members,
      leader: null,
      epoch: 0,
      inSync: members,
      min,
      nonce: '',
      ...fields,
    };
    this.apply(record);
  }

  private apply(record: QueueMirrorRecord): void {
    const revision = ++this.revision;
    this.records.set(record.incarnation, { record, revision });
    for (const node of this.live()) node.seen(record, revision);
  }

  write(node: OperatedNode, replica: Replica, proposal: Proposal): void {
    const { incarnation } = proposal.next;
    const guard = replica.view.revision;
    const isUnanswered = this.unanswered > 0;
    if (isUnanswered) this.unanswered--;
    this.clock.after(3, () => {
      if (this.gone.has(node.self)) return;
      if (this.records.get(incarnation)!.revision !== guard) {
        if (!isUnanswered) replica.refused(proposal);
        return;
      }
      this.writes++;
      if (isUnanswered) replica.lost(proposal);
      this.apply(proposal.next as QueueMirrorRecord);
    });
  }

  of(name: string): QueueMirrorRecord {
    return this.records.get(name)!.record;
  }

  advance(ms: number): Promise<void> {
    return this.world.scheduler.advance(ms);
  }

  /** What a promise comes to; the reason when it cannot be. */
  async outcome<T>(promise: Promise<T>, msMax = 30_000): Promise<T | string> {
    let outcome: T | string | undefined;
    promise.then(
      (value) => {
        outcome = value ?? ('done' as string);
      },
      (error: unknown) => {
        outcome = error instanceof CannotError ? error.message : `a bug: ${error}`;
      },
    );
    for (let ms = 0; ms < msMax && outcome === undefined; ms += 20) await this.advance(20);
    return outcome ?? 'no answer';
  }
}
