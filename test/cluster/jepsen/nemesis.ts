import { setTimeout as sleep } from 'node:timers/promises';
import type { SimRandom } from '../../../packages/platform/src/sim/random.js';
import { brokerKinds } from './broker-kinds.js';
import { etcdKinds } from './etcd-kinds.js';
import { fatalKinds, machineKinds } from './machine-kinds.js';
import type { Stage } from './stage.js';
import type { Timeline } from './timeline.js';
import { type Kind, shuffled, type Upset } from './upset.js';
import { wayKinds } from './way-kinds.js';

const usualKinds: Readonly<Record<string, Kind>> = { ...brokerKinds, ...wayKinds, ...machineKinds, ...etcdKinds };
/** By the names that `--nemesis` knows. */
export const kinds: Readonly<Record<string, Kind>> = { ...usualKinds, ...fatalKinds };
/** What is done when nobody asks for anything else. */
export const usual: readonly string[] = Object.keys(usualKinds);

interface Named {
  readonly kind: string;
  readonly upset: Upset;
}

/** Names in an order of chance, each of them once before any comes again. */
export class Deck {
  private readonly random: SimRandom;
  private readonly names: readonly string[];
  private left: string[] = [];

  constructor(random: SimRandom, names: readonly string[]) {
    this.random = random;
    this.names = names;
  }

  draw(): string {
    if (this.left.length === 0) this.left = shuffled(this.random, this.names);
    return this.left.pop()!;
  }
}

/** Does one or two things at a time to a cluster, lets it recover, and goes on. The same seed does the same. */
export class Nemesis {
  private readonly stage: Stage;
  private readonly timeline: Timeline;
  private readonly random: SimRandom;
  private readonly deck: Deck;

  constructor(stage: Stage, timeline: Timeline, random: SimRandom, names: readonly string[]) {
    this.stage = stage;
    this.timeline = timeline;
    this.random = random;
    this.deck = new Deck(random, names);
  }

  /** Throws when the cluster does not recover in time. Otherwise it has when this resolves. */
  async rage(seconds: number): Promise<void> {
    const untilMs = Date.now() + seconds * 1000;
    while (Date.now() < untilMs) {
      const drawn = this.draw();
      // When the second one begins while the first lasts.
      const laterMs = this.random.integer(2000);
      const restMs = 500 + this.random.integer(1500);
      await Promise.all(drawn.map((each, i) => this.inflict(each, i * laterMs)));
      const beganMs = Date.now();
      await this.stage.recover();
      this.timeline.note(`recovered in ${((Date.now() - beganMs) / 1000).toFixed(1)} s`);
      await sleep(restMs);
      this.timeline.quiet.push(Date.now());
    }
  }

  private draw(): Named[] {
    const first = this.named();
    if (this.random.chance(0.5)) return [first];
    const second = this.named();
    const isBusy = second.upset.occupies.some((thing) => first.upset.occupies.includes(thing));
    return isBusy ? [first] : [first, second];
  }

  private named(): Named {
    const kind = this.deck.draw();
    const { stage, random, timeline } = this;
    return { kind, upset: kinds[kind]!({ stage, random, timeline }) };
  }

  private async inflict({ kind, upset }: Named, afterMs: number): Promise<void> {
    await sleep(afterMs);
    const fromMs = Date.now();
    this.timeline.note(`${kind} begins: ${upset.what} (${(upset.lastsMs / 1000).toFixed(1)} s)`);
    await upset.begin();
    for (const endMs = Date.now() + upset.lastsMs; Date.now() < endMs; ) {
      await sleep(Math.min(200, Math.max(1, endMs - Date.now())));
      this.stage.look();
    }
    await upset.end();
    this.timeline.note(`${kind} ends`);
    this.timeline.wrong(kind, fromMs);
  }
}
