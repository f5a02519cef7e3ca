import type { SimScheduler } from '@chapar/platform';
import type { Lane, LaneKind, LaneSink, PeerListener, PeerTransport } from './lane.js';

/** Batches on their way in one direction, before a sender is told to wait. */
const batchesMax = 16;

/** The paths between the nodes of a simulated cluster. */
export class SimPeers {
  readonly scheduler: SimScheduler;
  /** One way, milliseconds; may be changed at any time. */
  delayMs = 0.2;
  private readonly listening = new Map<
    string,
    { readonly owner: SimTransport; accept: (kind: LaneKind, lane: Lane) => void }
  >();
  private readonly cuts = new Set<string>();
  private readonly lanes = new Set<SimLane>();

  constructor(scheduler: SimScheduler) {
    this.scheduler = scheduler;
  }

  transport(machine: string): SimTransport {
    return new SimTransport(this, machine);
  }

  /** Nothing gets from one machine to the other; what is sent waits, as in a kernel. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from} ${to}`);
  }

  heal(): void {
    this.cuts.clear();
    for (const lane of this.lanes) lane.move();
  }

  isCut(from: string, to: string): boolean {
    return this.cuts.has(`${from} ${to}`);
  }

  /** Every lane between the two breaks, for both ends at once. */
  reset(a: string, b: string): void {
    for (const lane of [...this.lanes]) if (lane.connects(a, b)) lane.break('the connection was reset');
  }

  listen(address: string, owner: SimTransport, accept: (kind: LaneKind, lane: Lane) => void): void {
    this.listening.set(address, { owner, accept });
  }

  unlisten(address: string): void {
    this.listening.delete(address);
  }

  connect(from: SimTransport, address: string, kind: LaneKind): Lane {
    const listener = this.listening.get(address);
    const far = listener?.owner.machine ?? '';
    const [near, other] = SimLane.pair(this, from.machine, far);
    this.lanes.add(near).add(other);
    this.scheduler.work(this.delayMs, () => {
      const isThere = listener !== undefined && this.listening.get(address) === listener && !from.isClosed;
      if (!isThere) near.break('connection refused');
      else if (!this.isCut(from.machine, far)) listener.accept(kind, other);
    });
    return near;
  }

  forget(lane: SimLane): void {
    this.lanes.delete(lane);
  }

  /** The machine's process is gone: its kernel resets what it had. */
  kill(machine: string): void {
    for (const [address, { owner }] of [...this.listening])
      if (owner.machine === machine) this.listening.delete(address);
    for (const lane of [...this.lanes]) if (lane.isOf(machine)) lane.break('the peer reset the connection');
  }
}

export class SimTransport implements PeerTransport {
  readonly machine: string;
  isClosed = false;
  private readonly peers: SimPeers;

  constructor(peers: SimPeers, machine: string) {
    this.peers = peers;
    this.machine = machine;
  }

  async listen(_host: string, port: number, accept: (kind: LaneKind, lane: Lane) => void): Promise<PeerListener> {
    const address = `${this.machine}:${port}`;
    this.peers.listen(address, this, accept);
    return { port, close: async () => this.peers.unlisten(address) };
  }

  connect(address: string, kind: LaneKind): Lane {
    return this.peers.connect(this, address, kind);
  }

  /** Ends everything that this process has; it opens nothing any more. */
  close(): void {
    this.isClosed = true;
    this.peers.kill(this.machine);
  }
}

/** One end of a lane. */
class SimLane implements Lane {
  private readonly peers: SimPeers;
  private readonly machine: string;
  private readonly far: string;
  private other!: SimLane;
  private sink: LaneSink | null = null;
  /** Sent from here and not yet arrived. */
  private outgoing: Buffer[] = [];
  private isMoving = false;
  private isFull = false;
  /** Arrived before `open`. */
  private waiting: Buffer[] = [];
  private ended: string | null = null;

  private constructor(peers: SimPeers, machine: string, far: string) {
    this.peers = peers;
    this.machine = machine;
    this.far = far;
  }

  static pair(peers: SimPeers, a: string, b: string): [SimLane, SimLane] {
    const pair: [SimLane, SimLane] = [new SimLane(peers, a, b), new SimLane(peers, b, a)];
    pair[0].other = pair[1];
    pair[1].other = pair[0];
    return pair;
  }

  open(sink: LaneSink): void {
    this.sink = sink;
    const { waiting } = this;
    this.waiting = [];
    for (const batch of waiting) sink.received(batch);
    if (this.ended !== null) sink.closed(this.ended);
  }

  send(batch: Buffer): boolean {
    if (this.ended !== null) return false;
    this.outgoing.push(Buffer.from(batch));
    this.move();
    this.isFull = this.outgoing.length >= batchesMax;
    return !this.isFull;
  }

  close(reason: string): void {
    this.break(reason);
  }

  connects(a: string, b: string): boolean {
    return (this.machine === a && this.far === b) || (this.machine === b && this.far === a);
  }

  isOf(machine: string): boolean {
    return this.machine === machine || this.far === machine;
  }

  /** Something may get through. */
  move(): void {
    if (this.isMoving || this.outgoing.length === 0 || this.ended !== null) return;
    if (this.peers.isCut(this.machine, this.far)) return;
    this.isMoving = true;
    this.peers.scheduler.work(this.peers.delayMs, () => {
      this.isMoving = false;
      if (this.ended !== null || this.peers.isCut(this.machine, this.far)) return;
      const arrived = this.outgoing;
      this.outgoing = [];
      for (const batch of arrived) this.other.take(batch);
      if (!this.isFull) return;
      this.isFull = false;
      this.sink?.drained();
    });
  }

  private take(batch: Buffer): void {
    if (this.ended !== null) return;
    if (this.sink === null) this.waiting.push(batch);
    else this.sink.received(batch);
  }

  break(reason: string): void {
    for (const lane of [this, this.other]) lane.gone(reason);
  }

  private gone(reason: string): void {
    if (this.ended !== null) return;
    this.ended = reason;
    this.peers.forget(this);
    // Not within a call to the lane.
    this.peers.scheduler.work(0, () => this.sink?.closed(reason));
  }
}
