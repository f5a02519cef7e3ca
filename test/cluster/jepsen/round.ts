import { setTimeout as sleep } from 'node:timers/promises';
import { SimRandom } from '../../../packages/platform/src/sim/random.js';
import type { Entry } from '../ledger/entry.js';
import { judge, type Verdict } from '../ledger/verdict.js';
import { untilEmpty } from '../workload.js';
import { Cast } from './cast.js';
import { historyOf, type Named, withoutVerdict } from './history.js';
import { Keepsake } from './keep.js';
import { Leaders } from './leaders.js';
import { mqttHistory } from './mqtt/entry.js';
import { mqttSummary } from './mqtt/summary.js';
import { Troupe } from './mqtt/troupe.js';
import { judgeMqtt } from './mqtt/verdict.js';
import { Nemesis } from './nemesis.js';
import { longestPauses } from './pauses.js';
import { declareQueues, priorities, queueNames } from './queues.js';
import type { Settings } from './settings.js';
import { cameBack } from './settled.js';
import { Stage } from './stage.js';
import { Timeline } from './timeline.js';

const drainSeconds = 60;

export interface Outcome {
  /** Empty when the cluster kept its word. */
  readonly faults: readonly string[];
  /** One line. */
  readonly summary: string;
  readonly confirmed: number;
  /** Messages of MQTT; null: there were no such clients. */
  readonly mqttAcked: number | null;
  /** Faults, histories, what was done: for people. */
  readonly report: string;
}

/** A cluster, its clients and a nemesis from one seed; then everything is healed, drained and judged. */
export async function playRound(settings: Settings, seed: number): Promise<Outcome> {
  const timeline = new Timeline((line) => {
    if (process.env['CHAPAR_JEPSEN_TALK'] !== undefined) console.log(line);
  });
  const stage = await Stage.start(settings.leaseSeconds, timeline);
  const round = new Round(settings, seed, stage, timeline);
  try {
    return await round.play();
  } catch (error) {
    throw new Error(`seed ${seed} could not be played; logs are in ${await round.giveUp()}`, { cause: error });
  } finally {
    await stage.close();
  }
}

class Round {
  private readonly settings: Settings;
  private readonly seed: number;
  private readonly stage: Stage;
  private readonly timeline: Timeline;
  private cast: Cast | null = null;
  private troupe: Troupe | null = null;
  private kept: Keepsake | null = null;

  constructor(settings: Settings, seed: number, stage: Stage, timeline: Timeline) {
    this.settings = settings;
    this.seed = seed;
    this.stage = stage;
    this.timeline = timeline;
    if (settings.keep !== null) this.keepsake();
  }

  async play(): Promise<Outcome> {
    const { settings, stage, timeline } = this;
    const { nodes } = stage.cluster;
    await declareQueues(nodes, settings);
    await stage.recover();
    const leaders = new Leaders(stage.cluster.members, timeline);
    const cast = await Cast.enter(nodes, settings.rate);
    this.cast = cast;
    try {
      if (settings.mqttRate > 0) this.troupe = await Troupe.enter(nodes, this.seed, settings.mqttRate);
      const nemesis = new Nemesis(stage, timeline, new SimRandom(this.seed), settings.nemesis);
      const stalls = await this.complaintsOf('not recovered', () => nemesis.rage(settings.seconds));
      const ended = await this.end(cast);
      stalls.push(...ended.stalls);
      return this.outcome(cast.ledgersSoFar, stalls, ended.drainMs, leaders);
    } finally {
      cast.leave();
      await this.troupe?.leave();
      await leaders.end();
    }
  }

  /** Where everything is that there is. */
  async giveUp(): Promise<string> {
    const kept = this.keepsake();
    await kept.keepAnswers(this.stage.cluster.nodes);
    kept.keepAll(this.stage.cluster.nodes, this.ledgers(this.cast?.ledgersSoFar ?? []), String(this.timeline));
    return kept.directory;
  }

  /** Publishers get their verdicts, queues run empty, consumers go. */
  private async end(cast: Cast): Promise<{ stalls: string[]; drainMs: number }> {
    this.timeline.note('all is healed');
    const healedMs = Date.now();
    const mqtt = this.troupe?.stop() ?? Promise.resolve([]);
    const stalls = await this.stop(cast, 'publisher');
    const drain = async () => {
      const late = sleep((drainSeconds + 15) * 1000, 'late', { ref: false });
      const drained = untilEmpty(this.stage.cluster.nodes, queueNames, drainSeconds);
      drained.catch(() => {});
      if ((await Promise.race([drained, late])) === 'late')
        throw new Error('a node does not say how many messages there are');
    };
    stalls.push(...(await this.complaintsOf('not drained', drain)));
    const drainMs = Date.now() - healedMs;
    stalls.push(...(await this.stop(cast, 'consumer')));
    stalls.push(...(await mqtt));
    this.timeline.note('clients of MQTT have ended');
    this.stage.look();
    return { stalls, drainMs };
  }

  private async stop(cast: Cast, role: 'publisher' | 'consumer'): Promise<string[]> {
    this.timeline.note(`${role}s end`);
    const stuck = await cast.stop(role);
    if (stuck.length > 0) await this.keepsake().keepAnswers(this.stage.cluster.nodes);
    this.timeline.note(`${role}s have ended`);
    return stuck;
  }

  private outcome(ledgers: readonly Named[], stalls: readonly string[], drainMs: number, leaders: Leaders): Outcome {
    const entries = ledgers.map((each) => each.entries);
    const terms = { priorities: { urgent: priorities } };
    const verdict = judge(entries, terms);
    // Without the ledger of somebody much would seem to come from nowhere.
    const isWhole = !stalls.some((text) => text.startsWith('silent'));
    const back = cameBack(entries, this.timeline.quiet);
    const told = [...verdict.faults, ...back.slice(0, 5).map(({ text }) => text)];
    if (back.length > 5) told.push(`and ${back.length - 5} more: settled`);
    const isDrained = !stalls.some((text) => text.startsWith('not drained'));
    const mqtt = this.judgeMqtt();
    const faults = [
      ...[...stalls, ...this.stage.faults, ...(isWhole ? told.map(isDrained ? asItIs : perhapsLeft) : [])],
      ...mqtt.faults,
    ];
    const summary = this.summary(entries, verdict, drainMs, leaders) + mqtt.summary;
    const suspects = [...(isWhole ? [...verdict.suspects, ...back.slice(0, 1)] : []), ...withoutVerdict(ledgers)];
    const histories = [...suspects.map((each) => history(each, ledgers)), ...mqtt.histories];
    const report = [
      `seed ${this.seed}: ${faults.length === 0 ? 'the cluster kept its word' : 'the cluster broke its word'}`,
      ...['', ...faults, '', ...histories, 'what was done, and seen:', String(this.timeline), '', summary],
    ].join('\n');
    const { confirmed } = verdict.counts;
    if (faults.length > 0) this.keepsake();
    const { kept } = this;
    const mqttAcked = mqtt.acked;
    if (kept === null) return { faults, summary, report, confirmed, mqttAcked };
    const whole = `${report}\nlogs of nodes and ledgers of clients are in ${kept.directory}`;
    kept.keepAll(this.stage.cluster.nodes, this.ledgers(ledgers), whole);
    return { faults, summary, report: whole, confirmed, mqttAcked };
  }

  /** With what clients of MQTT wrote down. */
  private ledgers(ofCast: readonly Named[]) {
    const { troupe } = this;
    return troupe === null ? ofCast : [...ofCast, { name: 'mqtt', entries: troupe.journal.entries }];
  }

  private judgeMqtt() {
    const { troupe, timeline, settings, stage } = this;
    if (troupe === null) return { faults: [], histories: [], summary: '', acked: null };
    const { entries } = troupe.journal;
    const nodes = stage.cluster.nodes.map(({ name }) => name);
    const terms = {
      spans: timeline.spans,
      quiet: timeline.quiet,
      nodes,
      order: settings.mqttOrder,
      wills: settings.mqttWills,
    };
    const { faults, suspects, counts } = judgeMqtt(entries, terms);
    const histories = suspects.map(({ p, n }) => shown(p, n, mqttHistory(p, n, entries)));
    return { faults, histories, summary: mqttSummary(counts), acked: counts.acked };
  }

  /** Made when there is something to keep. */
  private keepsake(): Keepsake {
    this.kept ??= new Keepsake(this.settings.keep, this.seed);
    return this.kept;
  }

  /** In words, as a fault of this kind, when it throws; what the nodes say is kept then. */
  private async complaintsOf(kind: string, what: () => Promise<void>): Promise<string[]> {
    try {
      await what();
      return [];
    } catch (error) {
      await this.keepsake().keepAnswers(this.stage.cluster.nodes);
      return [`${kind}: ${(error as Error).message}`];
    }
  }

  private summary(
    ledgers: readonly (readonly Entry[])[],
    { counts }: Verdict,
    drainMs: number,
    leaders: Leaders,
  ): string {
    const reconnects = ledgers.map((entries) => Math.max(0, entries.filter(({ e }) => e === 'connected').length - 1));
    const pauses = [...longestPauses(ledgers, this.timeline.spans)]
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([kind, { queue, lastsMs }]) => `${kind} ${(lastsMs / 1000).toFixed(1)} s (${queue})`);
    const { published, again, confirmed, nacked, unknown, delivered, flagged, acked, doubledUnconfirmed } = counts;
    return [
      `jepsen seed ${this.seed}, ${this.settings.seconds} s: published ${published} (${again} of them again)`,
      `confirmed ${confirmed}, nacked ${nacked}, unknown ${unknown}`,
      `delivered ${delivered}, redelivered ${flagged}, acked ${acked}, twice without a confirm ${doubledUnconfirmed}`,
      `queues got another leader ${leaders.changes} times (${leaders.epochs} epochs), clients moved ${reconnects.reduce((sum, n) => sum + n, 0)} times`,
      `drained in ${(drainMs / 1000).toFixed(1)} s`,
      `longest pause between confirms of a queue: ${pauses.join(', ')}`,
    ].join('; ');
  }
}

const asItIs = (fault: string): string => fault;

/** Who did not get all that is in the queues cannot tell what is lost from what is there. */
function perhapsLeft(fault: string): string {
  return fault.startsWith('lost') || fault.endsWith(': lost') ? `perhaps only left in its queue: ${fault}` : fault;
}

function history({ p, id }: { readonly p: string; readonly id: number }, ledgers: readonly Named[]): string {
  return shown(p, id, historyOf(p, id, ledgers));
}

function shown(p: string, id: number, lines: readonly string[]): string {
  return [`${p} ${id}:`, ...lines.map((line) => `  ${line}`), ''].join('\n');
}
