import type { JsonValue } from '@chapar/core';
import { followersOf, isWhole, leaderOf, mirrorRecords } from '../checks/folds.js';
import type { HandClient } from '../clients/hand.js';
import type { EtcdFaults } from '../cluster/etcd-faults.js';
import type { Faults } from '../cluster/faults.js';
import type { SimCluster } from '../cluster/sim-cluster.js';
import type { Question } from '../cluster/traffic.js';
import { Line } from './line.js';
import { place } from './story.js';

/** What a step may look at and act on. */
export interface Stage {
  readonly cluster: SimCluster;
  readonly faults: Faults;
  /** What a story calls nodes, beside their own names. */
  readonly names: Map<string, string>;
  /** Somebody who does what steps say, at one node; connected when this resolves. */
  hand(node: string): Promise<HandClient>;
  /** `p1.confirmed`, `c2.received`: a number of a client. Throws for one that is not there. */
  figure(name: string): number;
}

type Step = (line: Line, stage: Stage) => Promise<void> | void;

/** Carries out one step of a story. Throws StoryError when it cannot be understood. */
export async function perform(text: string, stage: Stage): Promise<void> {
  const line = new Line(named(text, stage.names));
  const step = steps[line.word('a verb')];
  if (step === undefined) throw line.error('there is no such step');
  await step(line, stage);
  line.end();
}

function named(text: string, names: Map<string, string>): string {
  return text
    .split(/\s+/)
    .map((word) => names.get(word) ?? word)
    .join(' ');
}

const onNode =
  (verb: 'kill' | 'powerCut' | 'stop' | 'start' | 'resume' | 'wipe'): Step =>
  (line, { faults }) =>
    faults[verb](line.word('a node'));

/** `A -> B`, or `A - B` for both ways. */
function ways(line: Line): [string, string][] {
  const from = line.word('a node');
  const isOneWay = line.has('->');
  if (!isOneWay) line.must('-');
  const to = line.word('a node');
  return isOneWay
    ? [[from, to]]
    : [
        [from, to],
        [to, from],
      ];
}

const steps: { readonly [verb: string]: Step } = {
  /** `call L leader of orders`: from now on L is the node that leads now; `follower`, `other`: the first and second of the rest. */
  call: (line, { cluster, names }) => {
    const name = line.word('a name');
    const what = line.word('who');
    line.must('of');
    const queue = line.word('a queue');
    const [follower, other] = followersOf(cluster, queue);
    const node = { leader: leaderOf(cluster, queue), follower, other }[what];
    if (node == null) throw line.error(`there is no ${what}`);
    names.set(name, node);
    cluster.note('world', `${name} is ${node}`);
  },
  /** Its leads go to others, and it may be stopped. */
  drain: (line, { cluster }) => cluster.manages(line.word('a node'), (steward) => steward.drain.begin()),
  revive: (line, { cluster }) => cluster.manages(line.word('a node'), (steward) => steward.drain.revive()),
  /** `transfer orders to B`. */
  transfer: (line, { cluster }) => {
    const queue = line.word('a queue');
    line.must('to');
    const to = line.word('a node');
    const { incarnation } = mirrorRecords(cluster).find(({ name }) => name === queue) ?? { incarnation: '' };
    const id = cluster.member(to).node?.cluster?.dataId ?? '';
    cluster.manages(to, ({ operations }) => operations.handOver(incarnation, id));
  },
  /** `policy orders all`, `exactly 2`, `nodes A B`, `none`: what the queue's policy says of its copies, told to any node that is there. */
  policy: (line, { cluster }) => {
    const queue = line.word('a queue');
    const mode = line.word('a mode');
    const params: JsonValue[] = [];
    while (!line.isEmpty) params.push(line.word('a node'));
    const haParams = mode === 'exactly' ? Number(params[0]) : params;
    const definition = { 'ha-mode': mode, ...(mode === 'all' ? {} : { 'ha-params': haParams }) };
    cluster.sets(
      queue,
      mode === 'none' ? null : { pattern: `^${queue}$`, priority: 0, 'apply-to': 'queues', definition },
    );
  },
  run: (line, { cluster }) => cluster.run(line.time('how long')),
  kill: onNode('kill'),
  'power-cut': onNode('powerCut'),
  stop: onNode('stop'),
  start: onNode('start'),
  resume: onNode('resume'),
  wipe: onNode('wipe'),

  pause: (line, { cluster, faults }) => {
    const name = line.word('a node');
    faults.pause(name);
    if (line.isEmpty) return;
    const { life } = cluster.member(name);
    cluster.scheduler.timer(line.time('how long'), () => {
      if (cluster.member(name).life === life) faults.resume(name);
    });
  },

  cut: (line, { faults }) => {
    for (const [from, to] of ways(line)) faults.cut(from, to);
  },
  mend: (line, { faults }) => {
    for (const [from, to] of ways(line)) faults.mend(from, to);
  },
  lag: (line, { faults }) => {
    const chosen = ways(line);
    const ms = line.time('a lag');
    for (const [from, to] of chosen) faults.lag(from, to, ms);
  },
  reset: (line, { faults }) => {
    const [[a, b]] = ways(line) as [[string, string]];
    faults.reset(a, b);
  },
  disk: (line, { faults }) => faults.slowDisk(line.word('a node'), line.time('a time')),
  clock: (line, { faults }) => faults.jumpClock(line.word('a node'), line.time('a time')),
  heal: (_, { faults }) => faults.heal(),

  /** `do A bind posts/k -> q`, `do A declare q fails queueHomeDown`; `try`: however it ends; `send`: nobody waits for the end. */
  do: async (line, stage) => {
    const { hand, question } = await doing(line, stage);
    const expected = line.has('fails') ? line.word('an error') : null;
    const key = await within(stage.cluster, hand.try(question));
    if (key === null && question.kind === 'declare-queue') born(stage, hand, question);
    if (key === null && question.kind === 'delete-queue') ended(stage, question.name);
    if (key === expected) return;
    const said = key === null ? 'it was done' : `it failed: ${key}`;
    stage.cluster.ledger.violation(`not as expected: ${line.text} (${said})`);
  },
  try: async (line, stage) => {
    const { hand, question } = await doing(line, stage);
    await within(stage.cluster, hand.try(question));
  },
  send: async (line, stage) => {
    const { hand, question } = await doing(line, stage);
    void hand.try(question);
  },

  /** `probe B posts/k routed`: a message that is published there now. */
  probe: async (line, stage) => {
    const hand = await stage.hand(line.word('a node'));
    const [exchange, routingKey] = place(line);
    const expected = line.word('what becomes of it');
    const { ledger } = stage.cluster;
    const target = exchange === '' ? ledger.queue(routingKey) : null;
    const verdict = await within(stage.cluster, hand.probe(exchange, routingKey, target));
    if (verdict !== expected) ledger.violation(`not as expected: ${line.text} (it is ${verdict})`);
  },

  backup: (line, { faults }) => faults.backUp(line.word('a node')),
  restore: (line, { faults }) => faults.restore(line.word('a node')),

  etcd: (line, { faults: { etcd } }) => {
    const verb = line.word('a verb');
    const whole = etcdVerbs[verb];
    if (whole !== undefined) return whole(etcd);
    const node = line.word('a node');
    if (verb === 'cut') etcd.cut(node);
    else if (verb === 'mend') etcd.mend(node);
    else if (verb === 'lag') etcd.impair(node, { watchLagMs: line.time('a lag') });
    else if (verb === 'slow') etcd.impair(node, { delayMs: line.time('a delay') });
    else if (verb === 'loses-requests') etcd.impair(node, { requestLoss: line.share('a share') });
    else if (verb === 'loses-answers') etcd.impair(node, { answerLoss: line.share('a share') });
    else if (verb === 'loses-watches') etcd.impair(node, { watchLoss: line.share('a share') });
    else throw line.error(`etcd does not '${verb}'`);
  },

  /** `expect p1.confirmed >= 10 [within 5s]`, `expect A up [within 5s]`. */
  expect: async (line, stage) => {
    const what = line.word('a figure');
    const { cluster } = stage;
    const holds = condition(what, line, stage);
    const limitMs = line.has('within') ? line.time('a time') : 0;
    if (await cluster.until(holds, limitMs)) return;
    const seen = what.includes('.') ? `it is ${stage.figure(what)}` : stateOf(cluster, what);
    cluster.ledger.violation(`not as expected: ${line.text} (${seen})`);
  },
};

const etcdVerbs: { readonly [verb: string]: (etcd: EtcdFaults) => void } = {
  down: (etcd) => etcd.down(),
  up: (etcd) => etcd.up(),
  restart: (etcd) => etcd.restart(),
  compact: (etcd) => etcd.compact(),
  full: (etcd) => etcd.full(),
  roomy: (etcd) => etcd.roomy(),
};

async function doing(line: Line, stage: Stage): Promise<{ readonly hand: HandClient; readonly question: Question }> {
  const hand = await stage.hand(line.word('a node'));
  const verb = line.word('what to do');
  if (verb === 'bind' || verb === 'unbind') {
    const [exchange, routingKey] = place(line);
    line.must('->');
    return { hand, question: { kind: verb, exchange, routingKey, queue: line.word('a queue') } };
  }
  const name = line.word('a queue');
  if (verb === 'delete') return { hand, question: { kind: 'delete-queue', name } };
  if (verb === 'find') return { hand, question: { kind: 'find-queue', name } };
  if (verb !== 'declare') throw line.error(`nobody can ${verb}`);
  const durable = !line.has('transient');
  const args = {
    ...(line.has('balanced') && { 'x-queue-leader-locator': 'balanced' }),
    ...(line.has('mirrored') && { 'x-queue-type': 'quorum' }),
  };
  const shape = { durable, exclusive: false, autoDelete: false, arguments: args };
  return { hand, question: { kind: 'declare-queue', name, ...shape } };
}

/** Clients know of a queue that was declared by a step. */
function born(
  { cluster: { ledger } }: Stage,
  { at }: HandClient,
  { name, durable: isDurable, arguments: args }: Question & { readonly kind: 'declare-queue' },
): void {
  if (ledger.queue(name) !== null) return;
  const diskMin = args['x-queue-type'] === 'quorum' ? 2 : null;
  ledger.queueBorn({ name, home: diskMin === null ? (at ?? '') : '', diskMin, isDurable });
}

function ended({ cluster: { ledger } }: Stage, name: string): void {
  const life = ledger.queue(name);
  if (life !== null) ledger.queueEnded(life);
}

/** Lets time pass until the promise settles. */
async function within<T>({ scheduler }: SimCluster, promise: Promise<T>): Promise<T> {
  return scheduler.settle(promise, 60_000);
}

function condition(what: string, line: Line, stage: Stage): () => boolean {
  if (!what.includes('.')) {
    const state = line.word('a state');
    if (state === 'whole') return () => isWhole(stage.cluster, what);
    if (state === 'led') {
      if (!line.has('by')) return () => leaderOf(stage.cluster, what) !== null;
      const node = line.word('a node');
      return () => leaderOf(stage.cluster, what) === node;
    }
    return () => stage.cluster.member(what).state === state;
  }
  const operator = line.word('an operator');
  const number = line.number('a number');
  const compare = operators[operator];
  if (compare === undefined) throw line.error(`there is no operator ${operator}`);
  return () => compare(stage.figure(what), number);
}

function stateOf(cluster: SimCluster, what: string): string {
  const member = cluster.members.get(what);
  return member === undefined ? `it is led by ${leaderOf(cluster, what)}` : `it is ${member.state}`;
}

const operators: { readonly [sign: string]: (a: number, b: number) => boolean } = {
  '=': (a, b) => a === b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
};
