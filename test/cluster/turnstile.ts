import { connect, createServer, type Server, type Socket } from 'node:net';
import type { BrokerNode } from './broker-node.js';

/** One address for a whole cluster: every connection goes to the next node. */
export class Turnstile {
  private readonly nodes: readonly BrokerNode[];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private passed = 0;

  private constructor(nodes: readonly BrokerNode[]) {
    this.nodes = nodes;
    this.server = createServer((socket) => this.pass(socket));
  }

  static async before(nodes: readonly BrokerNode[]): Promise<Turnstile> {
    const turnstile = new Turnstile(nodes);
    await new Promise<void>((resolve) => turnstile.server.listen(0, '127.0.0.1', resolve));
    return turnstile;
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${(this.server.address() as { port: number }).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private pass(socket: Socket): void {
    const [host, port] = this.nodes[this.passed++ % this.nodes.length]!.hostPort.split(':');
    const onward = connect(Number(port), host);
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      from.on('error', () => {});
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
