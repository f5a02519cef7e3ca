import { setTimeout as sleep } from 'node:timers/promises';
import { SimRandom } from '../../../../packages/platform/src/sim/random.js';
import type { BrokerNode } from '../../broker-node.js';
import { Journal } from './entry.js';
import { owed } from './inbox.js';
import { MqttPublisher } from './publisher.js';
import { readRetained } from './reader.js';
import { owedWills } from './sessions.js';
import { MqttSubscriber } from './subscriber.js';
import { type Scene, willPrefix } from './wanderer.js';

const heard = 'm/#';
const retained = 'last';
/** Each has its own, so that it is known what was published last. */
const lastTopics = [0, 1, 2, 3];
const beginSeconds = 30;
const endSeconds = 60;
const willSeconds = 15;
const readEveryMs = 1500;

/**
 * Clients of MQTT: four publishers of QoS 1 and 2, two that retain, a subscriber of QoS 1 and two of QoS 2, a group of three, one who
 * hears all wills, and readers of what is retained. All of them go from node to node.
 */
export class Troupe {
  readonly journal = new Journal();
  private readonly nodes: readonly BrokerNode[];
  private readonly random: SimRandom;
  private readonly publishers: readonly MqttPublisher[];
  private readonly subscribers: readonly MqttSubscriber[];
  private reading: Promise<void> = Promise.resolve();
  private isOver = false;

  private constructor(nodes: readonly BrokerNode[], seed: number, rate: number) {
    const random = new SimRandom(seed).fork('mqtt');
    this.nodes = nodes;
    this.random = random.fork('reader');
    const scene: Scene = { nodes, journal: this.journal, random };
    this.publishers = ([1, 2, 1, 2] as const).map((qos, i) => {
      const name = `teller-${i}`;
      return new MqttPublisher(name, scene, { qos, topics: [`m/${name}`], retain: false, rate, window: 10 });
    });
    const keepers = ([1, 2] as const).map((qos) => {
      const name = `keeper-${qos}`;
      const topics = lastTopics.map((i) => `${retained}/${name}/${i}`);
      // One at a time: what a topic has in the end is known then.
      return new MqttPublisher(name, scene, { qos, topics, retain: true, rate, window: 1 });
    });
    this.publishers = [...this.publishers, ...keepers];
    this.subscribers = [
      ...([1, 2, 2] as const).map((qos, i) => new MqttSubscriber(`hearer-${i}`, scene, [heard], qos)),
      ...[0, 1, 2].map((i) => new MqttSubscriber(`sharer-${i}`, scene, [`$share/group/${heard}`], 2)),
      new MqttSubscriber('witness', scene, [`${willPrefix}#`], 1),
    ];
  }

  /** Everybody is subscribed when it resolves. */
  static async enter(nodes: readonly BrokerNode[], seed: number, rate: number): Promise<Troupe> {
    const troupe = new Troupe(nodes, seed, rate);
    const { subscribers, publishers } = troupe;
    for (const subscriber of subscribers) subscriber.begin();
    const isSubscribed = () => subscribers.every((each) => each.isSubscribed);
    if (!(await within(beginSeconds, isSubscribed))) {
      await troupe.leave();
      throw new Error(`clients of MQTT could not subscribe within ${beginSeconds} s`);
    }
    for (const publisher of publishers) publisher.begin();
    troupe.reading = troupe.read();
    return troupe;
  }

  /** All is well: everybody gets what they are owed, and goes. In words, what did not happen in time. */
  async stop(): Promise<string[]> {
    const { publishers, subscribers, journal } = this;
    const stalls: string[] = [];
    for (const publisher of publishers) publisher.finish();
    for (const each of [...publishers, ...subscribers]) each.settleDown();
    const open = () => publishers.filter(({ unanswered }) => unanswered > 0).map(({ name }) => name);
    if (!(await within(endSeconds, () => open().length === 0)))
      stalls.push(`mqtt stuck: ${open().join(', ')} got no answer within ${endSeconds} s`);
    // What is still missing then is told by the verdict.
    await within(endSeconds, () => owed(journal.entries).length === 0, 500);
    await within(willSeconds, () => owedWills(journal.entries) === 0, 500);
    // What comes twice comes a little later.
    await sleep(2000);
    for (const each of [...publishers, ...subscribers]) {
      for (const k of each.forgotten)
        stalls.push(`mqtt two connections: ${each.name} has been elsewhere for long, and connection ${k} lives`);
    }
    stalls.push(...(await this.readLast()));
    await this.leave();
    return stalls;
  }

  async leave(): Promise<void> {
    this.isOver = true;
    for (const each of [...this.publishers, ...this.subscribers]) each.end();
    await this.reading;
  }

  private async read(): Promise<void> {
    while (!this.isOver) {
      await sleep(readEveryMs);
      const node = this.nodes[this.random.integer(this.nodes.length)]!;
      if (!this.isOver) await readRetained(node, `${retained}/#`, this.journal);
    }
  }

  private async readLast(): Promise<string[]> {
    this.isOver = true;
    await this.reading;
    const stalls: string[] = [];
    for (const node of this.nodes) {
      let isRead = false;
      for (let tries = 0; tries < 5 && !isRead; tries++)
        isRead = await readRetained(node, `${retained}/#`, this.journal, true);
      if (!isRead) stalls.push(`mqtt stuck: ${node.name} does not give its retained messages`);
    }
    return stalls;
  }
}

async function within(seconds: number, isSo: () => boolean, everyMs = 50): Promise<boolean> {
  for (const deadline = Date.now() + seconds * 1000; !isSo(); await sleep(everyMs))
    if (Date.now() > deadline) return false;
  return true;
}
