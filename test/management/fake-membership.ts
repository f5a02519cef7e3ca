import type { JsonValue } from '@chapar/core';
import {
  type ClusterView,
  type CopiesView,
  type LinkView,
  type Losses,
  type Membership,
  type MemberView,
  RefusedError,
} from '@chapar/management';
import { FakeMirrored } from './fake-mirrored.js';

type Answerer = (body: JsonValue) => JsonValue | Promise<JsonValue>;

/** Several nodes as their APIs see the cluster, without etcd and links: what they ask each other goes through JSON and back. */
export class FakeCluster {
  readonly members = new Map<string, FakeMembership>();
  /** By name: those that do not answer though they are registered. */
  readonly mute = new Set<string>();
  readonly gone = new Set<string>();
  /** By node: those that it does not hear as a leader, though they are registered. */
  readonly mutedFor = new Map<string, ReadonlySet<string>>();
  /** `a>b`: the link from a to b, which is up unless it stands here. */
  readonly links = new Map<string, LinkView>();
  readonly asked: string[] = [];
  /** Of mirrored queues, by incarnation; who of the members is there follows from `gone`. */
  readonly copies = new Map<string, CopiesView>();
  /** In maintenance. */
  readonly resting = new Set<string>();
  /** What was done with copies, and where it was asked for. */
  readonly done: string[] = [];

  join(name: string): FakeMembership {
    const member = new FakeMembership(this, name);
    this.members.set(name, member);
    return member;
  }
}

export class FakeMembership implements Membership {
  readonly answerers = new Map<string, Answerer>();
  readonly etcd = {
    endpoints: ['http://127.0.0.1:2379'],
    isReachable: true,
    sinceMs: 1_700_000_000_000,
    trouble: null,
    alarms: [],
    version: '3.5.0',
    databaseBytes: 20_480,
    registration: 'held' as const,
  };
  readonly lost: { vhost: string; name: string }[] = [];
  forgotten: string[] = [];
  readonly name: string;
  readonly mirrored: FakeMirrored;
  private readonly cluster: FakeCluster;

  constructor(cluster: FakeCluster, name: string) {
    this.cluster = cluster;
    this.name = name;
    this.mirrored = new FakeMirrored(cluster, name);
  }

  view(): ClusterView {
    const members = [...this.cluster.members.keys()].sort().map((name): MemberView => this.member(name));
    return { id: 'cluster-1', prefix: '/chapar', leaseSeconds: 10, revision: 42, etcd: this.etcd, members };
  }

  private member(name: string): MemberView {
    const isHere = name === this.name;
    const isLive = !this.cluster.gone.has(name);
    const up = { isUp: true, sinceMs: 1_700_000_000_000, reason: '' };
    const link = isHere || !isLive ? null : (this.cluster.links.get(`${this.name}>${name}`) ?? up);
    const address = isLive ? `${name.split('@')[1]}:25672` : '';
    return {
      name,
      dataId: `data-${name}`,
      isHere,
      isLive,
      isResting: this.cluster.resting.has(name),
      sinceMs: 1_700_000_000_000,
      address,
      version: '0.1.0',
      link,
    };
  }

  async ask(node: string, kind: string, body: JsonValue): Promise<JsonValue> {
    this.cluster.asked.push(`${node} ${kind}`);
    const answerer = this.cluster.members.get(node)?.answerers.get(kind);
    if (this.cluster.gone.has(node) || this.cluster.mute.has(node) || answerer === undefined)
      throw new Error('no answer within 2 s');
    return JSON.parse(JSON.stringify(await answerer(JSON.parse(JSON.stringify(body)))));
  }

  answer(kind: string, answerer: Answerer): void {
    if (this.answerers.has(kind)) throw new Error(`${kind} is answered already`);
    this.answerers.set(kind, answerer);
  }

  async losses(member: string): Promise<Losses | null> {
    const name = [...this.cluster.members.keys()].find((each) => each === member || `data-${each}` === member);
    return name === undefined ? null : { name, dataId: `data-${name}`, queues: this.lost };
  }

  async forget(member: string): Promise<Losses> {
    const losses = (await this.losses(member))!;
    if (!this.cluster.gone.has(losses.name)) throw new RefusedError(`${losses.name} is running`);
    this.forgotten.push(losses.name);
    return losses;
  }
}
