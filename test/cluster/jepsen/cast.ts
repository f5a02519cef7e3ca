import type { BrokerNode } from '../broker-node.js';
import { ClientProgram, clientCommands, type Language, type Work } from '../client-program.js';
import type { Named } from './history.js';
import { priorities, queueNames } from './queues.js';

const languages: readonly Language[] = ['node', 'python', 'go', 'go'];
const stopSeconds = 60;
/** So long consumers settle, and so long they do not: queues are not empty when something happens to them. */
const restSeconds = 3;

/**
 * Four publishers to all queues and four consumers, two at each queue, in three languages, each with the list of nodes. Publishers send
 * again what got no verdict; consumers hold what they have for some time, and settle for some.
 */
export class Cast {
  private readonly programs: readonly ClientProgram[];
  private readonly ledgers: Named[] = [];

  private constructor(programs: readonly ClientProgram[]) {
    this.programs = programs;
  }

  /** Everybody is at work when it resolves. */
  static async enter(nodes: readonly BrokerNode[], rate: number): Promise<Cast> {
    const commands = await clientCommands();
    const hosts = nodes.map(({ hostPort }) => hostPort);
    const programs: ClientProgram[] = [];
    const add = (language: Language, work: Omit<Work, 'hosts' | 'name'>) => {
      const { command, missing } = commands[language];
      if (missing !== null) throw new Error(missing);
      const name = `${language}-${work.role}-${programs.length}`;
      programs.push(new ClientProgram(command, { ...work, name, hosts }));
    };
    const cast = new Cast(programs);
    try {
      for (const [i, language] of languages.entries()) {
        add(language, { role: 'publisher', queues: queueNames, first: i, rate, again: true, priorities });
        const queues = [queueNames[i]!, queueNames[(i + 1) % queueNames.length]!];
        add(language, { role: 'consumer', queues, first: i + 1, prefetch: 20, restSeconds });
      }
      for (const program of programs) await program.ready();
    } catch (error) {
      cast.leave();
      throw error;
    }
    return cast;
  }

  /** Those of one kind end, and hand over their ledgers; in words, who did not. */
  async stop(role: Work['role']): Promise<string[]> {
    const those = this.programs.filter(({ work }) => work.role === role);
    const complaints = those.map(async (program): Promise<string[]> => {
      try {
        this.ledgers.push({ name: program.work.name, entries: await program.stop(stopSeconds) });
        return [];
      } catch (error) {
        // What it has seen so far is worth as much.
        const entries = await program.leave().catch(() => null);
        if (entries === null) return [`silent: ${(error as Error).message}`];
        this.ledgers.push({ name: program.work.name, entries });
        return [`stuck: ${(error as Error).message}`];
      }
    });
    return (await Promise.all(complaints)).flat();
  }

  /** Of those that have stopped. */
  get ledgersSoFar(): readonly Named[] {
    return this.ledgers;
  }

  leave(): void {
    for (const program of this.programs) program.dispose();
  }
}
