import type { Broker, CertificateLogin } from '@chapar/core';
import type { Log, Wire } from '@chapar/platform';
import { Connection } from './connection.js';

export interface DoorOptions {
  readonly certificateLogin: CertificateLogin;
  /** Names the protocol that a wrong first chunk belongs to, for the log; null when unknown. */
  readonly recognise: (chunk: Buffer) => string | null;
}

/** What every connection of the door shares. */
export interface DoorParts {
  readonly broker: Broker;
  readonly options: DoorOptions;
  readonly log: Log;
}

/** Once a second the door looks at all its connections: heartbeats, handshakes that take too long, peers that do not read. */
const tickMs = 1000;

/** AMQP 0-9-1's door; the broker knows its dialect before it opens. Takes wires, makes connections of them, ends them all when the broker stops. */
export class Amqp091Door {
  private readonly parts: DoorParts;
  private readonly connections = new Set<Connection>();
  private readonly ticker: { cancel(): void };
  private stopping: string | null = null;

  constructor(broker: Broker, options: DoorOptions) {
    this.parts = { broker, options, log: broker.platform.log.of('amqp091') };
    broker.alarms.listen(() => {
      for (const connection of this.connections) connection.blocked.changed();
    });
    this.ticker = broker.platform.clock.every(tickMs, () => this.tick());
  }

  /** A peer connected. */
  accept(wire: Wire): void {
    if (this.stopping !== null) {
      wire.destroy();
      return;
    }
    const connection = new Connection(this.parts, wire, () => this.connections.delete(connection));
    this.connections.add(connection);
    wire.open(connection);
  }

  /** Tells every peer 320 and waits for their goodbyes, at most `waitMs`; then hangs up on the rest. */
  async stop(reason: string, waitMs: number): Promise<void> {
    this.stopping = reason;
    for (const connection of this.connections) connection.close(reason);
    const { clock } = this.parts.broker.platform;
    const deadline = clock.monotonicMs() + waitMs;
    while (this.connections.size > 0 && clock.monotonicMs() < deadline) {
      await new Promise<void>((resolve) => clock.after(20, resolve));
    }
    for (const connection of this.connections) connection.hangUp();
    this.ticker.cancel();
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  private tick(): void {
    const nowMs = this.parts.broker.platform.clock.monotonicMs();
    for (const connection of this.connections) connection.tick(nowMs);
  }
}
