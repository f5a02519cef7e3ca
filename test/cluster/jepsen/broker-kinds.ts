import type { BrokerNode } from '../broker-node.js';
import { beyondLease, briefly, type Draft, type Kind, shuffled, type Upset } from './upset.js';

/** Brokers that are killed and paused. */
export const brokerKinds: Readonly<Record<string, Kind>> = {
  kill: (draft) => killed(draft, 1, 0),
  'kill-long': (draft) => killed(draft, 1, beyondLease(draft)),
  'kill-all': (draft) => killed(draft, 3, 0),
  'pause-short': (draft) => paused(draft, 1, briefly(draft)),
  pause: (draft) => paused(draft, 1, beyondLease(draft)),
  'pause-two': (draft) => paused(draft, 2, beyondLease(draft)),
};

function some({ random, stage }: Draft, count: number): BrokerNode[] {
  return shuffled(random, stage.cluster.nodes).slice(0, count);
}

/** SIGKILL; what was written stays in the page cache. */
function killed(draft: Draft, count: number, lastsMs: number): Upset {
  const { stage } = draft;
  const nodes = some(draft, count);
  return {
    what: `${names(nodes)} killed, ${lastsMs === 0 ? 'started again at once' : 'started again after the lease'}`,
    occupies: nodes.map(({ name }) => name),
    lastsMs,
    begin: async () => {
      await Promise.all(nodes.map((node) => stage.kill(node)));
    },
    end: () => {
      for (const node of nodes) stage.revive(node);
    },
  };
}

function paused(draft: Draft, count: number, lastsMs: number): Upset {
  const nodes = some(draft, count);
  return {
    what: `${names(nodes)} standing still`,
    occupies: nodes.map(({ name }) => name),
    lastsMs,
    begin: () => {
      for (const node of nodes) node.pause();
    },
    end: () => {
      for (const node of nodes) node.resume();
    },
  };
}

export function names(all: readonly { readonly name: string }[]): string {
  return all.map(({ name }) => name).join(' and ');
}
