import type { Platform } from '../platform.js';
import { SimClock } from './clock.js';
import { SimDisk } from './disk.js';
import { SimFabric } from './fabric.js';
import { SimGate } from './gate.js';
import { SimGauges } from './gauges.js';
import type { CrashKeep } from './inode.js';
import { SimLog } from './log.js';
import { SimNetwork } from './network.js';
import { SimRandom } from './random.js';
import { SimScheduler } from './scheduler.js';

/** Several machines of one simulation: one time, one set of cables, one seed. */
export class SimWorld {
  readonly scheduler = new SimScheduler();
  readonly random: SimRandom;
  readonly fabric: SimFabric;

  constructor(seed: number) {
    this.random = new SimRandom(seed);
    this.fabric = new SimFabric(this.scheduler, this.random.fork('fabric'));
  }

  /** A machine with its own disk, clock and log at `address`. */
  machine(address: string): SimPlatform {
    return new SimPlatform(this, address);
  }
}

/** A simulated machine. Two runs with the same seed and the same calls do the same. */
export class SimPlatform implements Platform {
  readonly clock: SimClock;
  readonly disk: SimDisk;
  readonly network: SimNetwork;
  readonly random: SimRandom;
  readonly gauges = new SimGauges();
  readonly log = new SimLog();
  readonly world: SimWorld;
  private readonly gate: SimGate;

  constructor(world: SimWorld, address: string) {
    this.world = world;
    this.gate = new SimGate(world.scheduler);
    this.clock = new SimClock(world.scheduler, this.gate);
    this.random = world.random.fork(`${address} random`);
    this.disk = new SimDisk(world.scheduler, world.random.fork(`${address} disk`), this.gate);
    this.network = new SimNetwork(world.fabric, address, this.gate);
  }

  /** Drives time until `promise` settles; see SimScheduler.settle. */
  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.scheduler.settle(promise);
  }

  /** The process is stopped (SIGSTOP): its kernel goes on, so that disks write and sockets fill, but nothing happens in it. */
  pause(): void {
    this.gate.close();
  }

  /** The process goes on (SIGCONT) with all that waited, in order. */
  resume(): void {
    this.gate.open();
  }

  get isPaused(): boolean {
    return this.gate.isShut;
  }

  /** Something happens to this machine's process from outside of the platform: now, or when it is not stopped any more. */
  pass(run: () => void): void {
    this.gate.pass(run);
  }

  /** The process dies (kill -9). The same platform then serves its next start. */
  kill(): void {
    this.gate.clear();
    this.clock.stop();
    this.disk.kill();
    this.network.crash(true);
  }

  /** Power fails; see SimDisk.crash. Peers hear nothing. */
  crash(keep: CrashKeep = 'some'): void {
    this.gate.clear();
    this.clock.stop();
    this.disk.crash(keep);
    this.network.crash(false);
  }
}

/** One simulated machine on its own, at 10.0.0.1. */
export function createSimPlatform(seed: number): SimPlatform {
  return new SimWorld(seed).machine('10.0.0.1');
}
