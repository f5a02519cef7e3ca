import type { Endpoint, Listener, ListenOptions, Network, TlsSession, Wire } from '../network.js';
import type { SimFabric } from './fabric.js';
import type { SimGate } from './gate.js';
import { systemError } from './system-error.js';
import type { SimWire } from './wire.js';

export interface SimConnectOptions {
  readonly port: number;
  /** Default: this machine itself, by its loopback. */
  readonly host?: string;
  /** The address that the client seems to come from. Default: the loopback for the machine itself, else its address. */
  readonly from?: string;
  /** What the handshake told both sides; needed for a listener with TLS. No bytes are encrypted. */
  readonly tls?: TlsSession;
}

interface Accepting {
  readonly options: ListenOptions;
  readonly accept: (wire: Wire) => void;
  readonly refused: (remote: Endpoint | null, error: Error) => void;
}

const loopbacks = ['127.0.0.1', '::1', 'localhost'];
const everywhere = [null, '0.0.0.0', '::'];
const ephemeralPortMin = 40_000;

/** One machine's network. */
export class SimNetwork implements Network {
  readonly address: string;
  readonly fabric: SimFabric;
  /** All wires that this machine has or had, accepted or connected, oldest first. */
  readonly wires: SimWire[] = [];
  private readonly gate: SimGate;
  private readonly accepting = new Map<number, Accepting>();
  private nextPort = ephemeralPortMin;

  constructor(fabric: SimFabric, address: string, gate: SimGate) {
    this.fabric = fabric;
    this.address = address;
    this.gate = gate;
    fabric.plug(this);
  }

  async listen(
    options: ListenOptions,
    accept: (wire: Wire) => void,
    refused: (remote: Endpoint | null, error: Error) => void = () => {},
  ): Promise<Listener> {
    const port = options.port === 0 ? this.nextPort++ : options.port;
    if (this.accepting.has(port)) throw systemError('EADDRINUSE', 'listen', `${options.host ?? '::'}:${port}`);
    this.accepting.set(port, { options, accept, refused });
    return {
      endpoint: { address: options.host ?? '::', port },
      close: async () => {
        this.accepting.delete(port);
      },
      reload: async () => {},
    };
  }

  /** A client's end. It may write at once; `open` it in this turn. A refusal comes as `closed`. */
  connect(options: SimConnectOptions): SimWire {
    const host = options.host ?? '127.0.0.1';
    const isOwn = loopbacks.includes(host) || host === this.address;
    const target = isOwn ? this : this.fabric.machine(host);
    const from = options.from ?? (loopbacks.includes(host) ? '127.0.0.1' : this.address);
    const client = { address: from, port: this.nextPort++ };
    const tls = options.tls ?? null;
    const gates = { near: this.gate, far: target?.gate ?? this.gate };
    const { near, far, link } = this.fabric.pair(client, { address: host, port: options.port }, tls, gates);
    this.wires.push(near);
    link.carry(() => {
      if (target === undefined) this.fabric.refuse(near, 'ECONNREFUSED');
      else target.arrived(far, near);
    });
    return near;
  }

  /** The process died; without power its kernel is silent as well. */
  crash(hasPower: boolean): void {
    this.accepting.clear();
    for (const wire of this.wires.splice(0)) wire.abandon(hasPower);
  }

  private arrived(wire: SimWire, client: SimWire): void {
    const found = this.accepting.get(wire.local.port);
    if (found === undefined || !listensAt(found.options.host, wire.local.address)) {
      this.fabric.refuse(client, 'ECONNREFUSED');
      return;
    }
    const refusal = refusalOf(found.options, wire.tls);
    if (refusal !== null) {
      this.fabric.refuse(client, 'ECONNRESET');
      found.refused(wire.remote, refusal);
      return;
    }
    this.wires.push(wire);
    this.gate.pass(() => found.accept(wire));
  }
}

function listensAt(host: string | null, address: string): boolean {
  if (everywhere.includes(host) || host === address) return true;
  return host !== null && loopbacks.includes(host) && loopbacks.includes(address);
}

function refusalOf(options: ListenOptions, tls: TlsSession | null): Error | null {
  if (options.tls === null) return tls === null ? null : new Error('a TLS client at a plain port');
  if (tls === null) return new Error('not a TLS handshake');
  const isNeeded = options.tls.clientCertificate === 'required';
  return isNeeded && tls.peerCertificate === null ? new Error('the client sent no certificate') : null;
}
