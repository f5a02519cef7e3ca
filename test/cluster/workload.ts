import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelModel, connect } from 'amqplib';
import type { BrokerNode } from './broker-node.js';
import { ClientProgram, clientCommands, type Language, type Work } from './client-program.js';
import type { Entry } from './ledger/entry.js';
import { judge, type Terms, type Verdict } from './ledger/verdict.js';

export const languages: readonly Language[] = ['node', 'python', 'go'];

export type Player = Omit<Work, 'hosts' | 'name' | 'first'> & {
  readonly language: Language;
  /** Which node of the list it tries first. */
  readonly first: number;
};

/** Clients in three languages that publish and consume while somebody upsets the cluster. */
export class Workload {
  private readonly nodes: readonly BrokerNode[];
  readonly programs: ClientProgram[] = [];
  /** Of those that have stopped, by name. */
  private readonly ledgers = new Map<string, Entry[]>();

  private constructor(nodes: readonly BrokerNode[]) {
    this.nodes = nodes;
  }

  /** Their queues are there already. Resolves when everybody is connected. */
  static async start(nodes: readonly BrokerNode[], players: readonly Player[]): Promise<Workload> {
    const commands = await clientCommands();
    const workload = new Workload(nodes);
    const hosts = nodes.map(({ hostPort }) => hostPort);
    try {
      for (const [i, { language, ...player }] of players.entries()) {
        const { command, missing } = commands[language];
        if (missing !== null) throw new Error(missing);
        const name = `${language}-${player.role}-${i}`;
        workload.programs.push(new ClientProgram(command, { ...player, hosts, name }));
      }
      for (const program of workload.programs) await program.ready();
    } catch (error) {
      workload.dispose();
      throw error;
    }
    return workload;
  }

  /**
   * Publishers stop and get what they were promised, queues run empty, consumers stop, and all ledgers are judged.
   * Throws when one of these does not happen in time.
   */
  async finish(terms: Terms & { readonly drainSeconds?: number } = {}): Promise<Verdict> {
    await this.stopAll('publisher');
    const queues = new Set(this.programs.flatMap(({ work }) => work.queues));
    await untilEmpty(
      this.nodes,
      [...queues].filter((queue) => !terms.lostQueues?.includes(queue)),
      terms.drainSeconds ?? 30,
    );
    await this.stopAll('consumer');
    this.dispose();
    return judge([...this.ledgers.values()], terms);
  }

  /** The ledger of a client that has stopped. */
  entriesOf(name: string): readonly Entry[] {
    return this.ledgers.get(name) ?? [];
  }

  dispose(): void {
    for (const program of this.programs) program.dispose();
  }

  private async stopAll(role: Work['role']): Promise<void> {
    const those = this.programs.filter(({ work }) => work.role === role);
    const stopped = those.map(async (program) => this.ledgers.set(program.work.name, await program.stop()));
    await Promise.all(stopped);
  }
}

/** A connection to the first node that lets us in. The end of it is nobody's error. */
export async function connectToAny(nodes: readonly BrokerNode[]): Promise<ChannelModel> {
  const reasons: string[] = [];
  for (const node of nodes) {
    if (!node.isRunning) continue;
    try {
      const connection = await connect(node.url, { timeout: 3000 });
      connection.on('error', () => {});
      return connection;
    } catch (error) {
      reasons.push(`${node.name}: ${(error as Error).message}`);
    }
  }
  throw new Error(`no node lets us in: ${reasons.join('; ')}`);
}

/** Nothing waits in them for a whole second. */
export async function untilEmpty(
  nodes: readonly BrokerNode[],
  queues: readonly string[],
  seconds: number,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  const connection = await connectToAny(nodes);
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  for (let quiet = 0; quiet < 5; await sleep(200)) {
    const waiting: string[] = [];
    for (const queue of queues) {
      const { messageCount } = await channel.checkQueue(queue);
      if (messageCount > 0) waiting.push(`${queue}: ${messageCount}`);
    }
    quiet = waiting.length === 0 ? quiet + 1 : 0;
    if (Date.now() > deadline) throw new Error(`not drained within ${seconds} s: ${waiting.join(', ')}`);
  }
  await connection.close();
}
