import type { Draw } from './draw.js';

/** Queues with copies, of all kinds; now and then one without. */
export function mirroredQueues(draw: Draw): string[] {
  const lines: string[] = ['exchange events fanout', 'exchange posts direct'];
  const { random } = draw;
  const add = (name: string, more: readonly string[] = []) => {
    draw.queues.push(name);
    const copies = random.chance(0.2) && !draw.isDiskAtRisk ? 'mirrored by 2' : 'mirrored';
    lines.push(`queue ${name} on ${draw.node()} ${copies} ${more.join(' ')}`);
  };
  add('orders', [draw.chance(0.3, `max ${5 + random.integer(30)}`)]);
  if (random.chance(0.4)) add('turns', ['single-active']);
  if (random.chance(0.5)) {
    add('letters');
    const leaves = [
      draw.chance(0.4, `returns ${1 + random.integer(4)}`),
      draw.chance(0.4, `ttl ${draw.ms(200, 4_000)}`),
    ];
    add('work', [...leaves, 'dead-letters-to letters']);
  }
  if (random.chance(0.3)) add('ranks', [`priorities ${1 + random.integer(5)}`]);
  if (random.chance(0.3))
    add('news', [`newest ${3 + random.integer(20)}`, draw.chance(0.5, `ttl ${draw.ms(200, 2_000)}`)]);
  const isFixed = (queue: string) => !['letters', 'news', 'ranks'].includes(queue);
  for (const queue of draw.queues) if (isFixed(queue) && random.chance(0.4)) lines.push(`bind events/ -> ${queue}`);
  if (random.chance(0.3)) {
    draw.queues.push('mails');
    lines.push(`queue mails on ${draw.node()} ${draw.chance(0.5, 'transient')}`);
  }
  return lines;
}

export function mirroredClients(draw: Draw): string[] {
  const lines: string[] = [];
  const { random } = draw;
  const targets = draw.queues.filter((name) => name !== 'letters');
  const publishers = 2 + random.integer(3);
  for (let i = 1; i <= publishers; i++) {
    const target = random.chance(0.2) ? 'events/' : draw.of(targets);
    const more = [
      draw.chance(0.2, 'transient'),
      draw.chance(0.3, 'retries'),
      target === 'ranks' ? 'priorities 5' : '',
    ].join(' ');
    const pace = `every ${draw.ms(40, 300)} burst ${1 + random.integer(4)} window ${4 + random.integer(40)}`;
    lines.push(`publisher p${i} at ${draw.hosts()} to ${target} ${pace} ${more}`);
  }
  const consumers = 2 + random.integer(4);
  for (let i = 1; i <= consumers; i++) {
    const queue = draw.of(draw.queues);
    const more = [
      draw.chance(0.1, 'no-ack'),
      draw.chance(0.2, 'cancels 5%'),
      draw.chance(0.4, `releases ${random.integer(30)}%`),
      queue === 'work' ? `rejects ${random.integer(50)}%` : '',
    ].join(' ');
    const hold = draw.ms(1, random.chance(0.3) ? 1_500 : 120);
    lines.push(`consumer c${i} at ${draw.hosts()} of ${queue} prefetch ${1 + random.integer(12)} hold ${hold} ${more}`);
  }
  if (random.chance(0.3))
    lines.push(`getter g1 at ${draw.hosts()} of ${draw.of(draw.queues)} every ${draw.ms(10, 100)} releases 10%`);
  if (random.chance(0.15))
    lines.push(`purger u1 at ${draw.hosts()} of ${draw.of(draw.queues)} every ${draw.ms(200, 2_000)}`);
  // What is deleted loses its bindings, and dead letters that are on their way to it.
  const unbound = draw.queues.filter((name) => name === 'ranks' || name === 'news');
  if (unbound.length > 0 && random.chance(0.4))
    lines.push(`rebuilder r1 at ${draw.hosts()} of ${draw.of(unbound)} every ${draw.ms(200, 2_000)}`);
  if (random.chance(0.2)) lines.push(`churner v1 at ${draw.hosts()} of posts every ${draw.ms(50, 300)}`);
  return lines;
}
