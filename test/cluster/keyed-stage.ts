import { SimPeers } from '@chapar/cluster';
import type { KeyedReader, Position, SharedKeyedLog } from '@chapar/core';
import { SimBroker } from './sim-broker.js';
import { type SimMember, SimMembers } from './sim-members.js';

/** What a node knows of a keyed log; a key must never go back. */
export class MapReader implements KeyedReader {
  readonly values = new Map<string, { readonly text: string; readonly position: Position }>();
  readonly wrongs: string[] = [];
  /** Of all keys, since the process began. */
  private readonly newest = new Map<string, Position>();

  changed(key: string, value: Buffer | null, position: Position): Position {
    const before = this.positionOf(key);
    if (position < (this.newest.get(key) ?? 0)) this.wrongs.push(`${key} went back to ${position}`);
    this.newest.set(key, position);
    if (value === null) this.values.delete(key);
    else this.values.set(key, { text: value.toString(), position });
    return before;
  }

  positionOf(key: string): Position {
    return this.values.get(key)?.position ?? 0;
  }

  *entries(isWanted: (position: Position) => boolean) {
    for (const [key, { position }] of this.values) if (isWanted(position)) yield { key, position };
  }

  guardOf(key: string): string {
    return key.split('/')[0]!;
  }

  get texts(): Record<string, string> {
    return Object.fromEntries([...this.values].map(([key, { text }]) => [key, text] as const).sort());
  }
}

/** One life of a node that has opened a keyed log. */
export interface KeyedNode {
  readonly at: SimBroker;
  readonly log: SharedKeyedLog;
  readonly reader: MapReader;
}

export const logName = 'test';

/** Nodes of a simulated cluster, with disks, each of which reads and writes one keyed log. */
export class KeyedCluster {
  readonly members: SimMembers;
  readonly peers: SimPeers;
  readonly nodes: KeyedNode[] = [];
  readonly dead = new Set<KeyedNode>();

  constructor(seed = 1) {
    this.members = new SimMembers(seed);
    this.peers = new SimPeers(this.members.world.scheduler);
  }

  static async of(names: readonly string[], seed = 1): Promise<KeyedCluster> {
    const cluster = new KeyedCluster(seed);
    for (const name of names) await cluster.add(name);
    await cluster.advance(3000);
    return cluster;
  }

  add(name: string): Promise<KeyedNode> {
    return this.addAt(this.members.machine(name));
  }

  async addAt(member: SimMember): Promise<KeyedNode> {
    const node = await this.open(await SimBroker.start(member, this.peers));
    this.nodes.push(node);
    return node;
  }

  private async open(at: SimBroker): Promise<KeyedNode> {
    const reader = new MapReader();
    return { at, log: await at.settle(at.broker.sharedKeyedLog(logName, reader)), reader };
  }

  isUp(index: number): boolean {
    return !this.dead.has(this.nodes[index]!);
  }

  kill(index: number): void {
    const node = this.nodes[index]!;
    this.dead.add(node);
    node.at.kill();
  }

  async restart(index: number): Promise<void> {
    this.nodes[index] = await this.open(await SimBroker.start(this.nodes[index]!.at.member, this.peers));
  }

  /** Nothing gets from a node to anybody, nor to etcd; or all is well again. */
  isolate(index: number, isCut: boolean): void {
    const { name, member } = this.nodes[index]!.at;
    member.client.path.cut = isCut;
    for (const { at: other } of this.nodes) {
      if (other.name === name) continue;
      for (const [from, to] of [
        [name, other.name],
        [other.name, name],
      ] as const) {
        if (isCut) this.peers.cut(from, to);
        else this.peers.mend(from, to);
      }
    }
  }

  /** Resolves with the verdict; not at all when nobody is left to tell. */
  put(index: number, key: string, text: string): { verdict: string } {
    const told = { verdict: '' };
    this.nodes[index]!.log.put(key, Buffer.from(text), slotOf(told));
    return told;
  }

  remove(index: number, key: string, onlyAt: Position | null = null): { verdict: string } {
    const told = { verdict: '' };
    this.nodes[index]!.log.remove(key, slotOf(told), onlyAt === null ? null : { of: 'key', at: onlyAt });
    return told;
  }

  /** Of each shard, where somebody leads it, by index of the shard. */
  leaders(): (number | null)[] {
    const found: (number | null)[] = [];
    for (const [index, { at }] of this.nodes.entries()) {
      if (!this.isUp(index)) continue;
      for (const led of at.node.mirrors.allLed()) {
        const shard = Number(led.incarnation.split('/')[1]);
        if (led.shard !== null) found[shard] = index;
      }
    }
    return found;
  }

  /** Entries that stand in a node's copies. */
  liveCount(index: number): number {
    let count = 0;
    for (const { stored } of this.nodes[index]!.at.node.mirrors) count += stored.liveCount;
    return count;
  }

  advance(ms: number): Promise<void> {
    return this.members.advance(ms);
  }
}

function slotOf(told: { verdict: string }) {
  return {
    committed: () => {
      told.verdict = 'committed';
    },
    refused: (why: string) => {
      told.verdict = why;
    },
  };
}
