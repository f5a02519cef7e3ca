import type { JsonValue } from '@chapar/core';
import type { Log } from '@chapar/platform';
import { Problem } from '../problem.js';
import type { ClusterView, Membership } from './membership.js';

/** What the other nodes answered, by name, and who did not. */
export interface Answers {
  readonly answers: ReadonlyMap<string, JsonValue>;
  readonly silent: readonly string[];
}

/** The other nodes' APIs. A node that is alone has none. */
export class Peers {
  readonly membership: Membership | null;
  private readonly log: Log;

  constructor(membership: Membership | null, log: Log) {
    this.membership = membership;
    this.log = log;
  }

  get view(): ClusterView | null {
    return this.membership?.view() ?? null;
  }

  /** The names of the other nodes that are registered. */
  get others(): string[] {
    return (this.view?.members ?? []).filter(({ isLive, isHere }) => isLive && !isHere).map(({ name }) => name);
  }

  /** Whether a node is registered, this one or another. */
  isLive(node: string): boolean {
    return this.view?.members.some(({ name, isLive }) => isLive && name === node) ?? false;
  }

  /** Asks one node. Throws Problem 503 when it does not answer. */
  async ask(node: string, kind: string, body: JsonValue): Promise<JsonValue> {
    try {
      return await this.membership!.ask(node, kind, body);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.log.debug({ node, kind, error }, 'another node did not answer');
      throw new Problem(503, 'node_unavailable', `${node} did not answer: ${why}`);
    }
  }

  /** Asks all of them at once. Who does not answer is named and left out: what is known is better than nothing. */
  async askAll(kind: string, body: JsonValue, nodes: readonly string[] = this.others): Promise<Answers> {
    const answers = new Map<string, JsonValue>();
    const silent: string[] = [];
    const askOne = async (node: string): Promise<void> => {
      try {
        answers.set(node, await this.ask(node, kind, body));
      } catch {
        silent.push(node);
      }
    };
    await Promise.all(nodes.map(askOne));
    return { answers, silent };
  }
}

/** Tells whoever asks that some nodes are missing in the answer. */
export function withSilent<R extends { readonly headers?: Readonly<Record<string, string>> }>(
  reply: R,
  silent: readonly string[],
): R {
  if (silent.length === 0) return reply;
  return { ...reply, headers: { ...reply.headers, 'x-chapar-silent-nodes': [...silent].sort().join(',') } };
}
