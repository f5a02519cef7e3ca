import { SimRandom, type SimScheduler, type Timer } from '@chapar/platform';
import type { Lane, LaneKind, PeerListener, PeerTransport } from './lane.js';
import { SimLane } from './sim-lane.js';

/** As the keepalive of the real transport: who hears nothing of the other process for so long gives the lane up. Milliseconds. */
const silenceMsMax = 10_000;
const silenceEveryMs = 2_500;

/** What a transport knows of the process that it belongs to: a stopped one is told later. See SimPlatform. */
export interface SimPeerProcess {
  readonly isPaused: boolean;
  pass(run: () => void): void;
}

const alwaysRuns: SimPeerProcess = { isPaused: false, pass: (run) => run() };

interface Listening {
  readonly owner: SimTransport;
  readonly accept: (kind: LaneKind, lane: Lane) => void;
}

/** The paths between the nodes of a simulated cluster. Fields may be changed at any time; they act on what comes after. */
export class SimPeers {
  readonly scheduler: SimScheduler;
  readonly random: SimRandom;
  /** One way, milliseconds; and what is added by chance. */
  delayMs = 0.2;
  jitterMs = 0;
  private readonly listening = new Map<string, Listening>();
  private readonly cuts = new Set<string>();
  private readonly lags = new Map<string, number>();
  private readonly lanes = new Set<SimLane>();
  private readonly withoutPower = new Set<string>();
  private silence: Timer | null = null;

  constructor(scheduler: SimScheduler, random = new SimRandom(1)) {
    this.scheduler = scheduler;
    this.random = random;
  }

  /** For a process that begins on this machine. */
  transport(machine: string, process: SimPeerProcess = alwaysRuns): SimTransport {
    this.withoutPower.delete(machine);
    // The kernel knows nothing of what was open before the power failed, and says so to whoever sends.
    for (const lane of [...this.lanes]) {
      if (lane.far === machine && lane.isOrphaned) lane.end('the peer reset the connection');
    }
    return new SimTransport(this, machine, process);
  }

  // -- what goes wrong ---------------------------------------------------------------------------------------------

  /** Nothing gets from one machine to the other; what is sent waits, as in a kernel. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from} ${to}`);
  }

  /** The way is free again, and what waited sets out. */
  mend(from: string, to: string): void {
    this.cuts.delete(`${from} ${to}`);
    this.move();
  }

  /** All ways are free and as fast as ever. */
  heal(): void {
    this.cuts.clear();
    this.lags.clear();
    this.move();
  }

  /** Beside `delayMs`, from one machine to the other. Milliseconds. */
  lag(from: string, to: string, ms: number): void {
    this.lags.set(`${from} ${to}`, ms);
  }

  /** Every lane between the two breaks, for both ends; of what was under way each may get the beginning. */
  reset(a: string, b: string): void {
    for (const lane of [...this.lanes]) if (lane.near === a && lane.far === b) lane.reset();
  }

  /** The process of a transport is gone and hears nothing; its kernel, when there is power, tells the others. */
  kill(owner: SimTransport, hasPower: boolean): void {
    if (!hasPower) this.withoutPower.add(owner.machine);
    owner.isGone = true;
    owner.isClosed = true;
    this.unlistenAll(owner);
    for (const lane of [...this.lanes]) if (lane.owner === owner) lane.die(hasPower);
  }

  // -- asked by transports and lanes -------------------------------------------------------------------------------

  isCut(from: string, to: string): boolean {
    return this.cuts.has(`${from} ${to}`) || this.withoutPower.has(from) || this.withoutPower.has(to);
  }

  delay(from: string, to: string): number {
    const jitterMs = this.jitterMs === 0 ? 0 : this.random.unit() * this.jitterMs;
    return this.delayMs + jitterMs + (this.lags.get(`${from} ${to}`) ?? 0);
  }

  listen(address: string, owner: SimTransport, accept: (kind: LaneKind, lane: Lane) => void): void {
    this.listening.set(address, { owner, accept });
  }

  unlisten(address: string, owner: SimTransport): void {
    if (this.listening.get(address)?.owner === owner) this.listening.delete(address);
  }

  unlistenAll(owner: SimTransport): void {
    for (const [address, listening] of [...this.listening]) {
      if (listening.owner === owner) this.listening.delete(address);
    }
  }

  listener(address: string): Listening | undefined {
    return this.listening.get(address);
  }

  connect(from: SimTransport, address: string, kind: LaneKind): Lane {
    const lane = new SimLane(this, from, address.split(':')[0]!, { address, kind });
    this.add(lane);
    lane.move();
    return lane;
  }

  add(lane: SimLane): void {
    this.lanes.add(lane);
    this.silence ??= this.scheduler.timer(silenceEveryMs, () => this.lookForSilence());
  }

  forget(lane: SimLane): void {
    this.lanes.delete(lane);
  }

  /** Lane ends that processes hold: leaks show here. */
  get openCount(): number {
    return this.lanes.size;
  }

  endLanesOf(owner: SimTransport): void {
    for (const lane of [...this.lanes]) if (lane.owner === owner) lane.close('the transport was closed');
  }

  private move(): void {
    for (const lane of [...this.lanes]) lane.move();
  }

  private lookForSilence(): void {
    this.silence = this.lanes.size === 0 ? null : this.scheduler.timer(silenceEveryMs, () => this.lookForSilence());
    for (const lane of [...this.lanes]) {
      const { near, far } = lane;
      const isSilent = this.isCut(near, far) || this.isCut(far, near) || lane.isFarStopped;
      lane.silentMs = isSilent ? lane.silentMs + silenceEveryMs : 0;
      if (lane.silentMs >= silenceMsMax) lane.giveUp('the peer did not answer in time');
    }
  }
}

/** One process's way to its peers. */
export class SimTransport implements PeerTransport {
  readonly machine: string;
  readonly process: SimPeerProcess;
  /** It opens nothing any more. */
  isClosed = false;
  /** The process died: nothing happens in it. */
  isGone = false;
  private readonly peers: SimPeers;

  constructor(peers: SimPeers, machine: string, process: SimPeerProcess) {
    this.peers = peers;
    this.machine = machine;
    this.process = process;
  }

  async listen(_host: string, port: number, accept: (kind: LaneKind, lane: Lane) => void): Promise<PeerListener> {
    const address = `${this.machine}:${port}`;
    this.peers.listen(address, this, accept);
    return { port, close: async () => this.peers.unlisten(address, this) };
  }

  connect(address: string, kind: LaneKind): Lane {
    return this.peers.connect(this, address, kind);
  }

  /** Ends everything that this process has; it opens nothing any more. */
  close(): void {
    this.isClosed = true;
    this.peers.unlistenAll(this);
    this.peers.endLanesOf(this);
  }
}
