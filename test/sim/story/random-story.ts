import { SimRandom } from '@chapar/platform';
import { Draw } from './draw.js';
import { mirroredClients, mirroredQueues } from './mirrored-story.js';

/** Of what kinds the faults of a random story are. */
export type FaultKind =
  | 'tides'
  | 'kills'
  | 'power'
  | 'stops'
  | 'pauses'
  | 'cuts'
  | 'resets'
  | 'lags'
  | 'etcd'
  | 'disks'
  | 'clocks'
  | 'transfers'
  | 'policies'
  | 'drains'
  | 'wipes'
  | 'blackouts'
  | 'pairs';

export interface Profile {
  readonly nodes: readonly string[];
  readonly faults: readonly FaultKind[];
  /** How long faults come, and how much time there is between two at most. Milliseconds. */
  readonly lastsMs: number;
  readonly betweenMs: number;
  /** Its queues have copies. */
  readonly isMirrored: boolean;
}

/** A story by chance: its text is all there is to it, so that one that failed can be kept and cut down. */
export function randomStory({ nodes, faults, lastsMs, betweenMs, isMirrored }: Profile, seed: number): string {
  const random = new SimRandom(seed).fork('story');
  const draw = new Draw(random, nodes);
  draw.isDiskAtRisk = faults.includes('wipes');
  const workload = isMirrored
    ? [...mirroredQueues(draw), ...mirroredClients(draw)]
    : [...topology(draw), ...clients(draw)];
  const lines = [`nodes ${nodes.join(' ')}`, ...workload];
  lines.push(...distances(draw), 'run 500ms');
  for (let leftMs = lastsMs; leftMs > 0; ) {
    const ms = 1 + random.integer(betweenMs);
    leftMs -= ms;
    lines.push(`run ${ms}ms`, ...happening(draw, faults[random.integer(faults.length)]!));
  }
  return `${lines.join('\n')}\n`;
}

function topology(draw: Draw): string[] {
  const lines: string[] = ['exchange events fanout', 'exchange posts direct'];
  const add = (name: string, more = '') => {
    draw.queues.push(name);
    lines.push(`queue ${name} on ${draw.node()} ${more}`);
  };
  add('orders', draw.chance(0.3, `max ${5 + draw.random.integer(30)}`));
  add('mails', draw.chance(0.5, 'transient'));
  if (draw.random.chance(0.5)) add('turns', 'single-active');
  if (draw.random.chance(0.5)) {
    add('letters');
    add('work', 'dead-letters-to letters');
  }
  for (const queue of draw.queues)
    if (queue !== 'letters' && draw.random.chance(0.4)) lines.push(`bind events/ -> ${queue}`);
  return lines;
}

function clients(draw: Draw): string[] {
  const lines: string[] = [];
  const { random, queues } = draw;
  const publishers = 2 + random.integer(3);
  for (let i = 1; i <= publishers; i++) {
    const target = random.chance(0.2) ? 'events/' : draw.of(queues.filter((name) => name !== 'letters'));
    const more = [draw.chance(0.2, 'transient'), draw.chance(0.4, 'retries')].join(' ');
    const pace = `every ${draw.ms(40, 400)} burst ${1 + random.integer(3)} window ${4 + random.integer(40)}`;
    lines.push(`publisher p${i} at ${draw.hosts()} to ${target} ${pace} ${more}`);
  }
  const taken = new Set<string>();
  const consumers = 2 + random.integer(3);
  for (let i = 1; i <= consumers; i++) {
    const queue = draw.of(queues);
    const isOnly = !taken.has(queue);
    taken.add(queue);
    const rejects = queue === 'work' ? `rejects ${random.integer(40)}%` : '';
    const more = [
      isOnly ? '' : draw.chance(0.1, 'exclusive'),
      draw.chance(0.1, 'no-ack'),
      draw.chance(0.2, 'cancels 5%'),
      draw.chance(0.3, `releases ${random.integer(20)}%`),
      rejects,
    ].join(' ');
    lines.push(
      `consumer c${i} at ${draw.hosts()} of ${queue} prefetch ${1 + random.integer(12)} hold ${draw.ms(1, 120)} ${more}`,
    );
  }
  const binders = random.integer(3);
  for (let i = 1; i <= binders; i++) {
    lines.push(`binder b${i} at ${draw.hosts()} to posts probed-at ${draw.hosts()} every ${draw.ms(20, 400)}`);
  }
  if (random.chance(0.4)) lines.push(`churner v1 at ${draw.hosts()} of posts every ${draw.ms(50, 300)}`);
  if (random.chance(0.3)) {
    lines.push(`getter g1 at ${draw.hosts()} of ${draw.of(queues)} every ${draw.ms(10, 100)} releases 10%`);
  }
  if (random.chance(0.4)) {
    const durability = draw.chance(0.5, 'transient');
    for (const node of draw.nodes)
      lines.push(`visitor w${node} at ${node} of lounge ${durability} stays ${draw.ms(20, 600)}`);
  }
  if (random.chance(0.4)) {
    for (const node of draw.nodes) lines.push(`owner o${node} at ${node} of mine keeps ${draw.ms(20, 1_000)}`);
  }
  return lines;
}

/** How far nodes are from each other. */
function distances({ nodes, random, ms }: Draw): string[] {
  if (nodes.length === 1 || random.chance(0.3)) return [];
  const pairs = nodes.flatMap((a) => nodes.filter((b) => b !== a).map((b) => [a, b]));
  return pairs.map(([a, b]) => `lag ${a} -> ${b} ${ms(0, 40)}`);
}

function happening(draw: Draw, kind: FaultKind): string[] {
  const node = draw.node();
  const [a, b] = draw.pair();
  const arrow = draw.of(['->', '-']);
  switch (kind) {
    case 'kills':
      return [`kill ${node}`, `run ${draw.ms(1, 4_000)}`, `start ${node}`];
    case 'power':
      return [`power-cut ${node}`, `run ${draw.ms(1, 4_000)}`, `start ${node}`];
    case 'stops':
      return [`stop ${node}`, `run ${draw.ms(500, 4_000)}`, `start ${node}`];
    case 'pauses':
      return [`pause ${node} ${draw.ms(10, draw.random.chance(0.3) ? 16_000 : 1_000)}`];
    case 'cuts':
      return [
        `cut ${a} ${arrow} ${b}`,
        `run ${draw.ms(10, draw.random.chance(0.3) ? 16_000 : 1_000)}`,
        `mend ${a} - ${b}`,
      ];
    case 'resets':
      return [`reset ${a} - ${b}`];
    case 'lags':
      return [`lag ${a} ${arrow} ${b} ${draw.ms(1, 300)}`, `run ${draw.ms(100, 2_000)}`, `lag ${a} - ${b} 0ms`];
    case 'tides':
      return draw.of([
        [`etcd lag ${node} ${draw.ms(0, 600)}`],
        ['etcd compact'],
        [`lag ${a} -> ${b} ${draw.ms(0, 60)}`],
      ]);
    case 'disks':
      return [`disk ${node} ${draw.ms(5, 120)}`, `run ${draw.ms(100, 2_000)}`, `disk ${node} 1ms`];
    case 'clocks':
      return [`clock ${node} ${draw.of(['-', ''])}${draw.ms(1_000, 3_600_000)}`];
    case 'etcd':
      return etcdHappening(draw, node);
    case 'transfers':
      return [`transfer ${draw.of(draw.queues)} to ${node}`];
    case 'policies': {
      const what = draw.of(['all', 'exactly 1', 'exactly 2', 'exactly 3', `nodes ${a}`, `nodes ${a} ${b}`, 'none']);
      return [`policy ${draw.of(draw.queues)} ${what}`];
    }
    case 'drains':
      return [`drain ${node}`, `run ${draw.ms(100, 2_000)}`, `revive ${node}`];
    case 'wipes':
      if (draw.wipedCount++ > 0) return [`power-cut ${node}`, `run ${draw.ms(1, 2_000)}`, `start ${node}`];
      return [`power-cut ${node}`, `wipe ${node}`, `run ${draw.ms(1, 4_000)}`, `start ${node}`];
    case 'blackouts':
      return [
        ...draw.nodes.map((each) => `power-cut ${each}`),
        ...shuffled(draw).flatMap((each) => startLater(draw, each)),
      ];
    case 'pairs':
      return draw.of([
        [`pause ${a} ${draw.ms(100, 14_000)}`, `pause ${b} ${draw.ms(100, 14_000)}`],
        [`kill ${a}`, `run ${draw.ms(1, 1_000)}`, `kill ${b}`, `run ${draw.ms(1, 4_000)}`, `start ${b}`, `start ${a}`],
        [
          `disk ${a} ${draw.ms(50, 400)}`,
          `disk ${b} ${draw.ms(50, 400)}`,
          `run ${draw.ms(100, 1_500)}`,
          `power-cut ${a}`,
          `start ${a}`,
        ],
      ]);
  }
}

function shuffled({ nodes, random }: Draw): string[] {
  const at = random.integer(nodes.length);
  return [...nodes.slice(at), ...nodes.slice(0, at)];
}

const startLater = (draw: Draw, node: string): string[] => [`run ${draw.ms(1, 1_000)}`, `start ${node}`];

function etcdHappening(draw: Draw, node: string): string[] {
  const pause = `run ${draw.ms(50, draw.random.chance(0.3) ? 15_000 : 3_000)}`;
  switch (draw.random.integer(9)) {
    case 0:
      return ['etcd down', pause, 'etcd up'];
    case 1:
      return ['etcd restart'];
    case 2:
      return [`etcd lag ${node} ${draw.ms(100, 4_000)}`, 'etcd compact', pause, `etcd mend ${node}`];
    case 3:
      return ['etcd full', pause, 'etcd roomy'];
    case 4:
      return [`etcd cut ${node}`, pause, 'etcd compact', `etcd mend ${node}`];
    case 5:
      return [`etcd slow ${node} ${draw.ms(20, 700)}`, pause, `etcd mend ${node}`];
    case 6:
      return [`etcd loses-requests ${node} ${draw.random.integer(60)}%`, pause, `etcd mend ${node}`];
    case 7:
      return [`etcd loses-answers ${node} ${draw.random.integer(90)}%`, pause, `etcd mend ${node}`];
    default:
      return [`etcd loses-watches ${node} ${draw.random.integer(80)}%`, pause, `etcd mend ${node}`];
  }
}
