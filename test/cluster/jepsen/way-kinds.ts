import type { Place } from '../landscape/place.js';
import { names } from './broker-kinds.js';
import { beyondLease, type Draft, eitherWay, type Kind, shuffled, type Upset } from './upset.js';

/** Ways between programs that are cut, silently, or broken. */
export const wayKinds: Readonly<Record<string, Kind>> = {
  'cut-one-way': (draft) => cut(draft, 'brokers', draft.random.chance(0.5) ? 'in' : 'out'),
  'cut-both-ways': (draft) => cut(draft, 'brokers', 'both'),
  'cut-etcd': (draft) => cut(draft, 'etcd', (['in', 'out', 'both'] as const)[draft.random.integer(3)]!),
  isolate: (draft) => cut(draft, 'all', 'both', beyondLease(draft)),
  break: broken,
};

/** A broker from the other brokers (one of them or both), from etcd, or from everybody but its clients. */
function cut(
  draft: Draft,
  from: 'brokers' | 'etcd' | 'all',
  ways: 'in' | 'out' | 'both',
  lastsMs = eitherWay(draft),
): Upset {
  const { random, stage } = draft;
  const { landscape, nodes, members } = stage.cluster;
  const [node, ...others] = shuffled(random, nodes).map(({ place }) => place);
  const etcd = members.map(({ place }) => place);
  const brokers = random.chance(0.5) ? others : others.slice(1);
  const far = from === 'all' ? [...others, ...etcd] : from === 'etcd' ? etcd : brokers;
  const each = (how: (one: Place, other: Place) => void) => {
    for (const place of far) {
      if (ways !== 'out') how(place, node!);
      if (ways !== 'in') how(node!, place);
    }
  };
  const heard = { in: 'does not hear', out: 'is not heard by', both: 'is parted from' }[ways];
  return {
    what: `${node!.name} ${heard} ${names(far)}`,
    // Two that meet in one way would be healed together.
    occupies: ['ways'],
    lastsMs,
    begin: () => each((one, other) => landscape.cut(one, other)),
    end: () => each((one, other) => landscape.heal(one, other)),
  };
}

/** Connections between two brokers break, again and again. */
function broken({ random, stage }: Draft): Upset {
  const { landscape, nodes } = stage.cluster;
  const [one, other] = shuffled(random, nodes).map(({ place }) => place);
  const times = 1 + random.integer(8);
  return {
    what: `connections between ${one!.name} and ${other!.name} broken ${times} times`,
    occupies: ['ways'],
    lastsMs: 500,
    begin: async () => {
      for (let i = 0; i < times; i++) await landscape.breakConnections(one!, other!);
    },
    end: () => {},
  };
}
