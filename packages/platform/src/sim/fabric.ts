import type { Endpoint, TlsSession } from '../network.js';
import type { SimGate } from './gate.js';
import { SimLink } from './link.js';
import type { SimNetwork } from './network.js';
import { SimPipe } from './pipe.js';
import type { SimRandom } from './random.js';
import type { SimScheduler } from './scheduler.js';
import { systemError } from './system-error.js';
import { SimWire } from './wire.js';

/** `whole`: as much as there is, up to 64 KiB as in Node; `cut`: at random places; `single`: byte by byte. */
export type ChunkCut = 'whole' | 'cut' | 'single';

const readBytesMax = 65_536;

/** The cables between the machines of one simulation. Fields may be changed at any time; they act on what comes after. */
export class SimFabric {
  readonly scheduler: SimScheduler;
  /** One way, milliseconds; drawn anew for each write, in order all the same. */
  delayMs = { min: 0, max: 0 };
  chunks: ChunkCut = 'whole';
  /** What the kernels of both ends and the cable hold in one direction before a writer must wait; for wires to come. */
  kernelBytesMax = 262_144;
  private readonly random: SimRandom;
  private readonly machines = new Map<string, SimNetwork>();
  private readonly links = new Set<SimLink>();
  private readonly partitions: [string, string][] = [];

  constructor(scheduler: SimScheduler, random: SimRandom) {
    this.scheduler = scheduler;
    this.random = random;
  }

  /** Plugs a machine in; its address must be free. */
  plug(machine: SimNetwork): void {
    if (this.machines.has(machine.address)) throw new Error(`address ${machine.address} is taken`);
    this.machines.set(machine.address, machine);
  }

  machine(address: string): SimNetwork | undefined {
    return this.machines.get(address);
  }

  /** Lets nothing through between two addresses, in both directions, for wires that are there and for those to come. */
  partition(a: string, b: string): void {
    this.partitions.push([a, b]);
    for (const link of this.links) if (connects(link, a, b)) link.hold();
  }

  heal(a: string, b: string): void {
    const kept = this.partitions.filter((pair) => !isPair(pair, a, b));
    this.partitions.splice(0, this.partitions.length, ...kept);
    for (const link of this.links) if (connects(link, a, b)) link.release();
  }

  /** Two ends that are plugged together: the caller's and the one to be accepted. */
  pair(
    client: Endpoint,
    server: Endpoint,
    tls: TlsSession | null,
    gates: { readonly near: SimGate; readonly far: SimGate },
  ): { near: SimWire; far: SimWire; link: SimLink } {
    const chunkSize = (available: number) => this.chunkSize(available);
    const near = new SimWire(client, server, tls, chunkSize, gates.near);
    const far = new SimWire(server, client, tls, chunkSize, gates.far);
    const there = this.link(client.address, server.address);
    const back = this.link(server.address, client.address);
    near.join(far, new SimPipe(there, this.kernelBytesMax, gates.near, (bytes) => far.arrived(bytes)));
    far.join(near, new SimPipe(back, this.kernelBytesMax, gates.far, (bytes) => near.arrived(bytes)));
    return { near, far, link: there };
  }

  refuse(wire: SimWire, code: string): void {
    wire.fail(systemError(code, 'connect', `${wire.remote.address}:${wire.remote.port}`));
  }

  private link(from: string, to: string): SimLink {
    const link = new SimLink(this.scheduler, from, to, () => this.delay());
    this.links.add(link);
    if (this.partitions.some((pair) => isPair(pair, from, to))) link.hold();
    return link;
  }

  private delay(): number {
    const { min, max } = this.delayMs;
    return max > min ? min + this.random.unit() * (max - min) : min;
  }

  private chunkSize(available: number): number {
    if (this.chunks === 'single') return 1;
    const most = Math.min(available, readBytesMax);
    return this.chunks === 'whole' ? most : 1 + this.random.integer(most);
  }
}

function connects(link: SimLink, a: string, b: string): boolean {
  return isPair([link.from, link.to], a, b);
}

function isPair(pair: [string, string], a: string, b: string): boolean {
  return (pair[0] === a && pair[1] === b) || (pair[0] === b && pair[1] === a);
}
