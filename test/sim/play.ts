import type { Queue } from '@chapar/core';
import { disagreements } from './checks/agreement.js';
import { differences, hasMirrors, leaderOf, mirrorRecords } from './checks/folds.js';
import { isForGood } from './checks/keeping.js';
import { leaks } from './checks/leaks.js';
import { BinderClient } from './clients/binder.js';
import { ChurnerClient } from './clients/churner.js';
import type { SimClient } from './clients/client.js';
import { ConsumerClient, consumerDefaults } from './clients/consumers.js';
import { FounderClient } from './clients/founder.js';
import { GetterClient } from './clients/getter.js';
import { HandClient } from './clients/hand.js';
import { OwnerClient } from './clients/owner.js';
import { ProberClient } from './clients/prober.js';
import { PublisherClient } from './clients/publishers.js';
import { PurgerClient } from './clients/purger.js';
import { RebuilderClient, type RebuilderOptions } from './clients/rebuilder.js';
import { VisitorClient } from './clients/visitor.js';
import { Faults } from './cluster/faults.js';
import { SimCluster } from './cluster/sim-cluster.js';
import type { Question } from './cluster/traffic.js';
import { declarationOf, factsOf } from './story/declaration.js';
import { StoryError } from './story/line.js';
import { perform, type Stage } from './story/steps.js';
import type { ClientLine, Story } from './story/story.js';

/** How a run ended. */
export interface Outcome {
  readonly seed: number;
  /** Of everything that happened: the same for the same seed and story. */
  readonly hash: string;
  readonly violations: readonly string[];
  /** The last lines of what happened, as far as they were kept. */
  readonly trace: readonly string[];
  readonly published: number;
  readonly confirmed: number;
  readonly delivered: number;
  /** Of mirrored queues. */
  readonly leaderChanges: number;
  readonly simulatedMs: number;
}

/** What must be over so long after everything was healed. Milliseconds. */
const drainMsMax = 60_000;

/** Whoever copies what has caught up by then, also one that is not let in at once any more. Milliseconds. */
const wholeMsMax = 120_000;

/** Who is connected to a machine without power finds out by its heartbeats. Milliseconds. */
const leaveMsMax = 20_000;
/** So long after the last client has left nothing of them must be left: leases of nodes that died have ended by then. Milliseconds. */
const tidyMsMax = 20_000;

/** Plays a story with one seed, repairs everything, lets it drain, and checks what is left. */
export async function play(story: Story, seed: number, traceLines = 0): Promise<Outcome> {
  const run = new Play(story, seed, traceLines);
  const stray = (error: unknown) => run.cluster.ledger.violation(`nobody caught: ${String(error)}`);
  process.on('unhandledRejection', stray);
  try {
    await run.all();
  } catch (error) {
    run.cluster.ledger.violation(`the run broke off: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    process.off('unhandledRejection', stray);
  }
  return run.outcome(seed);
}

/** They take away what others want to find. */
const isMeddler = (client: SimClient): boolean => client instanceof PurgerClient || client instanceof RebuilderClient;

/** Messages that are in a queue, in somebody's hands, or on their way out as dead letters. */
function countOf({ readyCount, unsettledCount, outbox }: Queue): number {
  return readyCount + unsettledCount + (outbox?.count ?? 0);
}

class Play implements Stage {
  readonly cluster: SimCluster;
  readonly faults: Faults;
  readonly names = new Map<string, string>();
  private readonly story: Story;
  private readonly clients = new Map<string, SimClient>();

  constructor(story: Story, seed: number, traceLines: number) {
    this.story = story;
    this.cluster = new SimCluster({ seed, nodes: story.nodes, traceLines });
    this.faults = new Faults(this.cluster);
  }

  async all(): Promise<void> {
    await this.begin();
    for (const step of this.story.steps) {
      if (this.isOver) return;
      await perform(step, this);
    }
    await this.finish();
  }

  /** What comes after the first violations tells nothing new. */
  private get isOver(): boolean {
    return this.cluster.ledger.violations.length >= 10;
  }

  private must(holds: boolean, what: string): void {
    if (!holds) this.cluster.ledger.violation(what);
  }

  // -- the beginning -------------------------------------------------------------------------------------------------

  private async begin(): Promise<void> {
    const { cluster, story } = this;
    for (const name of story.nodes) this.faults.start(name);
    this.must(await cluster.until(() => cluster.areAllUp, 30_000), 'the nodes did not come up');
    const exchanges = story.exchanges.map((each): Question => ({ kind: 'declare-exchange', ...each }));
    await this.found([this.founder(story.nodes[0]!, exchanges)]);
    await this.found(story.nodes.map((node) => this.founder(node, this.queuesOf(node))));
    for (const queue of story.queues) cluster.ledger.queueBorn(factsOf(queue, story.queues));
    for (const line of story.clients) this.add(this.client(line));
  }

  private async found(founders: readonly FounderClient[]): Promise<void> {
    for (const founder of founders) this.add(founder);
    const isFounded = () => founders.every(({ isGone }) => isGone);
    this.must(await this.cluster.until(isFounded, 10_000), 'not all could be declared');
  }

  private founder(node: string, questions: readonly Question[]): FounderClient {
    return new FounderClient(questions, this.cluster, `founder of ${node}`, [node], this.random(`founder ${node}`));
  }

  private queuesOf(node: string): Question[] {
    const { queues, bindings } = this.story;
    const questions: Question[] = [];
    for (const queue of queues) {
      if (queue.node !== node) continue;
      questions.push(declarationOf(queue));
      for (const binding of bindings) if (binding.queue === queue.name) questions.push({ kind: 'bind', ...binding });
    }
    return questions;
  }

  private client(line: ClientLine): SimClient {
    const { cluster } = this;
    const { name, hosts } = line;
    const rest = [cluster, name, hosts, this.random(name)] as const;
    switch (line.kind) {
      case 'publisher':
        return new PublisherClient(line.options, ...rest);
      case 'consumer':
        return new ConsumerClient(line.options, ...rest);
      case 'churner':
        return new ChurnerClient(line.options, ...rest);
      case 'getter':
        return new GetterClient(line.options, ...rest);
      case 'owner':
        return new OwnerClient(line.options, ...rest);
      case 'visitor':
        return new VisitorClient(line.options, ...rest);
      case 'purger':
        return new PurgerClient(line.options, ...rest);
      case 'rebuilder':
        return new RebuilderClient(this.rebuilding(line.options), ...rest);
      case 'binder': {
        const proberName = `${name}'s prober`;
        const prober = new ProberClient(cluster, proberName, line.probers, this.random(proberName));
        return new BinderClient(line.options, this.add(prober), ...rest);
      }
    }
  }

  private rebuilding({ queue: name, everyMs }: { readonly queue: string; readonly everyMs: number }): RebuilderOptions {
    const { queues } = this.story;
    const queue = queues.find((each) => each.name === name);
    if (queue === undefined) throw new StoryError(`there is no queue ${name} to be declared anew`);
    return { declaration: declarationOf(queue), facts: factsOf(queue, queues), everyMs };
  }

  private add<C extends SimClient>(client: C): C {
    this.clients.set(client.name, client);
    client.live().catch((error: unknown) => {
      this.cluster.ledger.violation(`${client.name} broke: ${error instanceof Error ? error.stack : String(error)}`);
    });
    return client;
  }

  private random(label: string) {
    return this.cluster.random.fork(label);
  }

  // -- for steps -----------------------------------------------------------------------------------------------------

  figure(name: string): number {
    const [clientName, figure] = name.split('.') as [string, string];
    const client = this.clients.get(clientName) as unknown as { readonly [figure: string]: unknown };
    const value = client?.[figure];
    if (typeof value !== 'number') throw new Error(`there is no figure ${name}`);
    return value;
  }

  async hand(node: string): Promise<HandClient> {
    const name = `hand at ${node}`;
    const known = this.clients.get(name);
    const hand =
      known instanceof HandClient ? known : this.add(new HandClient(this.cluster, name, [node], this.random(name)));
    this.must(await this.cluster.until(() => hand.at !== null, 30_000, 1), `${name} could not connect`);
    return hand;
  }

  // -- the end -------------------------------------------------------------------------------------------------------

  private async finish(): Promise<void> {
    const { cluster } = this;
    this.faults.heal();
    this.must(await cluster.until(() => cluster.areAllUp, drainMsMax), 'not every node came up after all was healed');
    const publishers = [...this.clients.values()].filter((client) => client instanceof PublisherClient);
    for (const publisher of publishers) publisher.stop();
    const haveVerdicts = () => publishers.every(({ waitingCount }) => waitingCount === 0);
    this.must(
      await cluster.until(haveVerdicts, drainMsMax),
      'publishers still wait for confirms long after all was healed',
    );
    await this.leave([...this.clients.values()].filter(isMeddler));
    await this.drain();
    await this.rest();
    await this.leave([...this.clients.values()]);
    cluster.ledger.checkAtEnd();
    const wrong = () => [...disagreements(cluster), ...differences(cluster), ...leaks(cluster), ...this.unvisited()];
    await cluster.until(() => wrong().length === 0, tidyMsMax, 100);
    for (const each of wrong()) cluster.ledger.violation(each);
    for (const name of this.story.nodes) this.faults.stop(name);
    const areDown = () => [...cluster.members.values()].every(({ state }) => state === 'down');
    this.must(await cluster.until(areDown, 10_000), 'nodes did not stop');
  }

  private async leave(clients: readonly SimClient[]): Promise<void> {
    for (const client of clients) client.stop();
    const stay = () => clients.filter(({ isGone }) => !isGone).map(({ name }) => name);
    await this.cluster.until(() => stay().length === 0, leaveMsMax);
    this.must(stay().length === 0, `clients could not leave: ${stay().join(', ')}`);
  }

  /** All is settled for good: who leads next, and whoever reads its disk again, knows that. */
  private async rest(): Promise<void> {
    const { cluster, story } = this;
    if (!hasMirrors(cluster)) return;
    const areForGood = () => [...cluster.members.values()].every(({ node }) => node !== null && isForGood(node));
    const isWhole = () => differences(cluster).length === 0 && areForGood();
    this.must(await cluster.until(isWhole, wholeMsMax, 100), 'copies are not whole, long after all was healed');
    cluster.ledger.isOver = true;
    const node = story.nodes[cluster.random.integer(story.nodes.length)]!;
    const others = story.nodes.filter((each) => each !== node);
    if (cluster.random.chance(0.5)) {
      this.faults.kill(node);
      this.faults.start(node);
    } else for (const each of [node, ...others]) this.faults.powerCut(each);
    this.faults.heal();
    this.must(await cluster.until(() => cluster.areAllUp, drainMsMax), 'not every node came up again');
    this.must(await cluster.until(isWhole, wholeMsMax, 100), 'copies are not whole again');
    await cluster.run(2_000);
  }

  /** Auto-delete queues that nobody visits any more. One whose node was killed meanwhile had no last visitor. */
  private unvisited(): string[] {
    if (this.cluster.troubles.hasAnybodyDied) return [];
    const visitors = [...this.clients.values()].filter((client) => client instanceof VisitorClient);
    const excused = new Set(visitors.filter(({ mayLeaveQueue }) => mayLeaveQueue).map(({ options }) => options.queue));
    const queues = this.localQueues().filter(({ properties, name }) => properties.autoDelete && !excused.has(name));
    return queues.map(({ name }) => `the auto-delete queue ${name} is still there`);
  }

  /** Whoever consumed goes on, and where nobody did, somebody does now. */
  private async drain(): Promise<void> {
    const { cluster, story } = this;
    for (const client of this.clients.values()) {
      if (client instanceof ConsumerClient) client.settleAll();
    }
    const names = new Set(story.queues.map(({ name }) => name));
    for (const queue of this.localQueues())
      if (queue.properties.owner === null && countOf(queue) > 0) names.add(queue.name);
    for (const name of names) {
      // Who is alone there drains it: another one that comes between two of its consumers would close its channel.
      if (this.isTaken(name)) continue;
      // What was on a disk that is gone is nowhere.
      const home = cluster.ledger.queue(name)?.home;
      if (home !== undefined && cluster.troubles.wasWiped(home, 0)) continue;
      const hosts = [story.nodes[cluster.random.integer(story.nodes.length)]!];
      const options = { ...consumerDefaults, queue: name, prefetch: 50 };
      const drainName = `drain of ${name}`;
      this.add(new ConsumerClient(options, cluster, drainName, hosts, this.random(drainName)));
    }
    const left = () => this.localQueues().filter((queue) => countOf(queue) > 0);
    // What nobody leads yet is nowhere, and not empty.
    const areLed = () => mirrorRecords(cluster).every(({ name }) => leaderOf(cluster, name) !== null);
    if (await cluster.until(() => areLed() && left().length === 0, drainMsMax)) return;
    const shown = left().map((queue) => `${queue.name}: ${countOf(queue)} (${queue.unsettledCount} held)`);
    this.must(false, `queues were not drained: ${shown.join(', ')}`);
  }

  /** By a consumer that wants to be the only one. */
  private isTaken(queue: string): boolean {
    const consumers = [...this.clients.values()].filter((client) => client instanceof ConsumerClient);
    return consumers.some(({ options, isGone }) => options.exclusive && options.queue === queue && !isGone);
  }

  private localQueues(): Queue[] {
    return [...this.cluster.members.values()].flatMap(({ node }) => node?.queues() ?? []);
  }

  outcome(seed: number): Outcome {
    const { ledger, trace, scheduler } = this.cluster;
    const confirmed = ledger.published.filter(({ verdict }) => verdict === 'confirmed').length;
    return {
      seed,
      hash: trace.hash,
      violations: ledger.violations,
      trace: trace.last,
      published: ledger.published.length,
      confirmed,
      delivered: ledger.deliveryCount,
      leaderChanges: this.cluster.leaderChanges,
      simulatedMs: scheduler.nowMs,
    };
  }
}
