import type { Clock } from '@chapar/platform';
import type { Peers } from './peers.js';

/** Beyond the time of a lease: a link that is down for shorter is being opened again, or its node is about to be gone. Milliseconds. */
const patienceMs = 2000;
/** Probes may come often; the other nodes are asked no more often than this. Milliseconds. */
const answerMs = 1000;
const kind = 'unreached';

/**
 * Whether this node reaches the others. A node that does not reach one which others do reach is not ready: what its clients publish to
 * queues there waits. When nobody reaches that one the fault is its own, and the rest go on.
 */
export class Reach {
  private readonly peers: Peers;
  private readonly clock: Clock;
  private last: { readonly atMs: number; readonly problem: Promise<string | null> } | null = null;

  constructor(peers: Peers, clock: Clock) {
    this.peers = peers;
    this.clock = clock;
  }

  /** What keeps this node from being ready, in words; null when nothing does. */
  problem(): Promise<string | null> {
    const atMs = this.clock.monotonicMs();
    if (this.last === null || atMs - this.last.atMs >= answerMs) this.last = { atMs, problem: this.find() };
    return this.last.problem;
  }

  /** The registered nodes that this one has not reached for a while. */
  unreached(): { readonly name: string; readonly forMs: number; readonly reason: string }[] {
    const nowMs = this.clock.wallMs();
    const found = [];
    const { view } = this.peers;
    if (view === null) return [];
    const longMs = view.leaseSeconds * 1000 + patienceMs;
    for (const { name, isLive, link } of view.members) {
      if (!isLive || link === null || link.isUp) continue;
      const forMs = nowMs - link.sinceMs;
      if (forMs >= longMs) found.push({ name, forMs, reason: link.reason });
    }
    return found;
  }

  answer(): void {
    this.peers.membership?.answer(kind, () => this.unreached().map(({ name }) => name));
  }

  private async find(): Promise<string | null> {
    const unreached = this.unreached();
    if (unreached.length === 0) return null;
    const names = new Set(unreached.map(({ name }) => name));
    const reached = this.peers.others.filter((node) => !names.has(node));
    const { answers } = await this.peers.askAll(kind, null, reached);
    const theirs = [...answers.values()].map((answer) => new Set(answer as string[]));
    // Nobody to ask: nobody can tell whose fault it is.
    const ours = unreached.filter(({ name }) => theirs.length === 0 || theirs.some((missed) => !missed.has(name)));
    if (ours.length === 0) return null;
    return ours.map(wordsOf).join('; ');
  }
}

export function wordsOf({ name, forMs, reason }: { name: string; forMs: number; reason: string }): string {
  return `${name} is registered but has not been reached for ${Math.round(forMs / 1000)} s: ${reason}`;
}
