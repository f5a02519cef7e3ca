import type { Lane, LaneKind, LaneSink } from './lane.js';
import type { SimPeers, SimTransport } from './sim-transport.js';

/** Batches that were sent and not yet read at the other end, before a sender is told to wait. */
const batchesMax = 16;

/** A batch, or the end of the lane in words. */
type Item = Buffer | string;

/** One end of a lane in a simulated cluster: a process's side of a socket, and the cable from there to the other end. */
export class SimLane implements Lane {
  readonly owner: SimTransport;
  /** The machines at this end and at the other. */
  readonly near: string;
  readonly far: string;
  /** How long nothing can have been heard of the other process, as far as that was looked at. Milliseconds. */
  silentMs = 0;
  private readonly peers: SimPeers;
  /** Where to and what for, at the end that opens it. */
  private readonly wish: { readonly address: string; readonly kind: LaneKind } | null;
  /** Null: the lane was not accepted yet. */
  private other: SimLane | null = null;
  private sink: LaneSink | null = null;
  /** Sent from here and not yet arrived. */
  private outgoing: Item[] = [];
  private isMoving = false;
  private isFull = false;
  /** Arrived here, and not yet read by the process. */
  private inbox: Item[] = [];
  /** Nothing is sent from here, and nothing comes in, any more. */
  private isEnded = false;
  /** The process was told of the end, or made it: it hears nothing any more. */
  private isOver = false;

  constructor(
    peers: SimPeers,
    owner: SimTransport,
    far: string,
    wish: { readonly address: string; readonly kind: LaneKind } | null,
  ) {
    this.peers = peers;
    this.owner = owner;
    this.near = owner.machine;
    this.far = far;
    this.wish = wish;
  }

  // -- for the process -------------------------------------------------------------------------------------------------

  open(sink: LaneSink): void {
    this.sink = sink;
    if (this.inbox.length > 0) this.peers.scheduler.work(0, () => this.readSoon());
  }

  send(batch: Buffer): boolean {
    if (this.isEnded) return false;
    this.outgoing.push(Buffer.from(batch));
    this.move();
    this.isFull = this.loadCount >= batchesMax;
    return !this.isFull;
  }

  close(reason: string): void {
    if (this.isOver) return;
    const wasEnded = this.isEnded;
    this.isEnded = this.isOver = true;
    this.inbox = [];
    if (!wasEnded) this.sendEnd('the peer ended the stream');
    // Not within a call to the lane.
    this.peers.scheduler.work(0, () => this.owner.process.pass(() => this.sink?.closed(reason)));
  }

  // -- for the simulation ----------------------------------------------------------------------------------------------

  /** The process at the other end is not there any more, and this end has not heard of it. */
  get isOrphaned(): boolean {
    return this.other?.owner.isGone === true;
  }

  get isFarStopped(): boolean {
    return this.other?.owner.process.isPaused === true;
  }

  /** Something may get through. */
  move(): void {
    if (this.isMoving) return;
    const { near, far, peers } = this;
    const isConnecting = this.wish !== null && this.other === null;
    if (isConnecting ? this.isEnded || peers.isCut(far, near) : this.outgoing.length === 0) return;
    if (peers.isCut(near, far)) return;
    this.isMoving = true;
    peers.scheduler.work(peers.delay(near, far), () => {
      this.isMoving = false;
      if (peers.isCut(near, far)) return;
      if (isConnecting) this.arriveAtListener();
      else this.arrive();
    });
  }

  /** Both ends lose it; of what is under way each may get the beginning. */
  reset(): void {
    const ends = this.other === null ? [this] : [this, this.other];
    for (const lane of ends) for (const item of lane.tear()) lane.other?.take(item);
    for (const lane of ends) {
      lane.end('the connection was reset');
      lane.forgetWhenDone();
    }
  }

  /** The process at this end died. */
  die(hasPower: boolean): void {
    const wasEnded = this.isEnded;
    this.isEnded = this.isOver = true;
    this.sink = null;
    this.inbox = [];
    if (!hasPower) this.outgoing = [];
    else if (!wasEnded) this.sendEnd('the peer reset the connection');
    this.forgetWhenDone();
  }

  /** This end learns that the lane is over; what came before that is read first. */
  end(reason: string): void {
    if (this.isEnded) return;
    this.outgoing = [];
    this.take(reason);
  }

  /** This end has heard nothing for long, and lets go; the other one, which may hear well, is told when that gets through. */
  giveUp(reason: string): void {
    if (this.isEnded) return;
    this.outgoing = this.other === null ? [] : ['the peer reset the connection'];
    this.take(reason);
    this.move();
  }

  /** Of what is under way, what still arrives. */
  private tear(): Item[] {
    const arriving = this.outgoing.slice(0, this.peers.random.integer(this.outgoing.length + 1));
    this.outgoing = [];
    return arriving;
  }

  private sendEnd(reason: string): void {
    this.outgoing = this.other === null ? [] : [...this.tear(), reason];
    this.move();
    this.forgetWhenDone();
  }

  private arriveAtListener(): void {
    if (this.isEnded || this.wish === null) return;
    const { address, kind } = this.wish;
    const listening = this.peers.listener(address);
    if (listening === undefined || this.owner.isClosed) {
      this.end('connection refused');
      return;
    }
    const other = new SimLane(this.peers, listening.owner, this.near, null);
    this.other = other;
    other.other = this;
    this.peers.add(other);
    listening.owner.process.pass(() => listening.accept(kind, other));
    this.move();
  }

  private arrive(): void {
    const { other, outgoing } = this;
    this.outgoing = [];
    if (other === null) return;
    if (other.owner.isGone) this.end('the peer reset the connection');
    else for (const item of outgoing) other.take(item);
    this.forgetWhenDone();
    this.hasRoom();
  }

  private take(item: Item): void {
    if (this.isEnded) return;
    this.inbox.push(item);
    if (typeof item === 'string') {
      this.isEnded = true;
      this.forgetWhenDone();
    }
    if (this.sink !== null) this.readSoon();
  }

  private readSoon(): void {
    this.owner.process.pass(() => this.read());
  }

  private read(): void {
    while (this.inbox.length > 0 && !this.isOver && this.sink !== null) {
      const item = this.inbox.shift()!;
      if (typeof item !== 'string') {
        this.sink.received(item);
        continue;
      }
      this.isOver = true;
      this.sink.closed(item);
    }
    this.other?.hasRoom();
  }

  /** Batches between a `send` here and the process at the other end. */
  private get loadCount(): number {
    return this.outgoing.length + (this.other?.inbox.length ?? 0);
  }

  private hasRoom(): void {
    if (!this.isFull || this.loadCount >= batchesMax) return;
    this.isFull = false;
    const tell = () => {
      if (!this.isOver) this.sink?.drained();
    };
    this.peers.scheduler.work(0, () => this.owner.process.pass(tell));
  }

  private forgetWhenDone(): void {
    if (this.isEnded && this.outgoing.length === 0) this.peers.forget(this);
  }
}
