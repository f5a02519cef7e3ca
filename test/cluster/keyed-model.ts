import { SimRandom } from '@chapar/platform';
import { KeyedCluster } from './keyed-stage.js';

/** Something that was put, or removed, and what became of it. */
interface Deed {
  /** Null: the key was removed. */
  readonly text: string | null;
  readonly sinceMs: number;
  /** From when on it is promised; Infinity: it never was. */
  untilMs: number;
}

interface Under {
  readonly deed: Deed;
  readonly told: { verdict: string };
}

const keyCount = 12;

/** Puts and removes keys of a cluster by chance while nodes die and are cut off, and says what must then not be. */
export class KeyedModel {
  readonly wrongs: string[] = [];
  confirmed = 0;
  private readonly cluster: KeyedCluster;
  private readonly random: SimRandom;
  private readonly deeds = new Map<string, Deed[]>();
  private under: Under[] = [];
  private count = 0;
  private nowMs = 0;

  constructor(cluster: KeyedCluster, random: SimRandom) {
    this.cluster = cluster;
    this.random = random;
  }

  async run(ms: number): Promise<void> {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.act();
      const stepMs = 1 + this.random.integer(20);
      await this.cluster.advance(stepMs);
      this.nowMs += stepMs;
      this.hear();
    }
  }

  private act(): void {
    const index = this.random.integer(this.cluster.nodes.length);
    if (!this.cluster.isUp(index)) return;
    const key = `k${this.random.integer(keyCount)}`;
    const isEnd = this.random.unit() < 0.3;
    const text = isEnd ? null : `v${++this.count}`;
    const deed: Deed = { text, sinceMs: this.nowMs, untilMs: Number.POSITIVE_INFINITY };
    this.deedsOf(key).push(deed);
    const told = text === null ? this.cluster.remove(index, key) : this.cluster.put(index, key, text);
    this.under.push({ deed, told });
  }

  private hear(): void {
    this.under = this.under.filter(({ deed, told }) => {
      if (told.verdict !== 'committed') return true;
      deed.untilMs = this.nowMs;
      this.confirmed++;
      return false;
    });
  }

  private deedsOf(key: string): Deed[] {
    let deeds = this.deeds.get(key);
    if (deeds === undefined) {
      // Nobody had put anything there.
      deeds = [{ text: null, sinceMs: -1, untilMs: -1 }];
      this.deeds.set(key, deeds);
    }
    return deeds;
  }

  /** A node that asks for it knows at least what was promised before. */
  async ask(index: number): Promise<void> {
    const { at, log, reader } = this.cluster.nodes[index]!;
    const sinceMs = this.nowMs;
    let isOver = false;
    void Promise.resolve(log.settled()).then(() => {
      isOver = true;
    });
    // Longer than a second it waits for nobody.
    const isEarly = () => this.nowMs < sinceMs + 990;
    while (!isOver && isEarly()) await this.run(10);
    if (isOver && isEarly()) this.look(`${at.name} when it was asked`, reader.texts, sinceMs);
  }

  /** What a node has of each key was not replaced, by something that was promised before, and begun after this was promised. */
  look(what: string, texts: Readonly<Record<string, string>>, askedMs = this.nowMs): void {
    for (const [key, deeds] of this.deeds) {
      const text = texts[key] ?? null;
      const found = deeds.filter((deed) => deed.text === text);
      const isStale = ({ untilMs }: Deed) => deeds.some((later) => later.sinceMs > untilMs && later.untilMs < askedMs);
      if (found.length === 0) this.wrongs.push(`${what}: ${key} is ${text}, which nobody put there`);
      else if (found.every(isStale)) this.wrongs.push(`${what}: ${key} is ${text}, and something newer was promised`);
    }
  }

  /** All is well again, and at rest. */
  finish(): void {
    const { nodes } = this.cluster;
    const texts = nodes.map(({ reader }) => JSON.stringify(reader.texts));
    if (new Set(texts).size > 1) this.wrongs.push(`nodes differ: ${texts.join(' ')}`);
    for (const [index, { at, reader }] of nodes.entries()) {
      this.look(`${at.name} in the end`, reader.texts);
      for (const wrong of reader.wrongs) this.wrongs.push(`${at.name}: ${wrong}`);
      const live = this.cluster.liveCount(index);
      const { size } = reader.values;
      if (live !== size) this.wrongs.push(`${at.name} keeps ${live} entries of ${size} keys`);
    }
  }
}

/** Something that goes wrong, and how it is repaired; null: it is by itself. */
type Trouble = (cluster: KeyedCluster, index: number) => (() => Promise<void> | void) | null;

const troubles: readonly Trouble[] = [
  (cluster, index) => {
    cluster.kill(index);
    return () => cluster.restart(index);
  },
  (cluster, index) => {
    cluster.isolate(index, true);
    return () => cluster.isolate(index, false);
  },
  (cluster, index) => {
    const [from, to] = [cluster.nodes[index]!.at.name, cluster.nodes[(index + 1) % 3]!.at.name];
    cluster.peers.cut(from, to);
    return () => cluster.peers.mend(from, to);
  },
  (cluster, index) => {
    cluster.peers.reset(cluster.nodes[index]!.at.name, cluster.nodes[(index + 2) % 3]!.at.name);
    return null;
  },
];

/** One run; it may make so many troubles. */
export async function playKeyed(seed: number, rounds: number): Promise<KeyedModel> {
  const random = new SimRandom(seed);
  const cluster = await KeyedCluster.of(['a', 'b', 'c'], seed);
  const model = new KeyedModel(cluster, random);
  for (let round = 0; round < rounds; round++) {
    await model.run(random.integer(600));
    const index = random.integer(3);
    if (cluster.isUp(index) && random.unit() < 0.5) await model.ask(index);
    const repair = troubles[random.integer(troubles.length)]!(cluster, random.integer(3));
    // Shorter than a lease, or longer.
    await model.run(random.unit() < 0.5 ? random.integer(2000) : 8000 + random.integer(6000));
    await repair?.();
    await model.run(random.integer(1500));
  }
  await cluster.advance(60_000);
  await model.run(100);
  await cluster.advance(30_000);
  model.finish();
  return model;
}
