import type { Answer, Follower, Leader, MirrorRecord, Proposal, Pull, Replica, ReplicaEntry } from '@chapar/cluster';
import { followerPatience, replacement } from '@chapar/cluster';
import type { Publishes, Verdicts } from './producer.js';
import type { SimReplicaLog } from './replica-log.js';
import type { World } from './world.js';

const settings = {
  patience: { ...followerPatience, lateMs: 1500, awayMs: 4000, backOffMs: 300, backOffMaxMs: 2000, steadyMs: 5000 },
  ledgerMax: 24,
  answerMax: 6,
};
const bytes = new Uint8Array();

/** A settlement or a mark on its way to all members. */
interface Owed {
  readonly number: number;
  done(): void;
}

interface Asking {
  readonly publishes: Publishes;
  /** The verdicts are certain when this is committed. */
  readonly position: number;
  reply(verdicts: Verdicts): void;
}

/** One process on one disk. All that it holds but the log is gone when the process is. */
export class SimNode {
  readonly name: string;
  id: string;
  log: SimReplicaLog;
  replica: Replica | null = null;
  session = 0;
  /** Counts processes: what was begun by one before does not come back. */
  life = 0;
  pausedUntilMs = 0;
  /** Its disk is slow. */
  slowUntilMs = 0;
  private readonly world: World;
  private isSyncing = false;
  private pulls = 0;
  private seenRevision = 0;
  private reign: Leader | null = null;
  private following: Follower | null = null;
  private reported = 0;
  private hasHeld = false;
  private owed: Owed[] = [];
  private asking: Asking[] = [];
  private readonly conversations = new Map<string, number>();
  private readonly refusals = new Map<string, Set<number>>();

  constructor(world: World, name: string) {
    this.world = world;
    this.log = world.rules.makeLog();
    this.name = name;
    this.id = `${name}0`;
  }

  get isUp(): boolean {
    return this.replica !== null;
  }

  start(session = this.world.register(this)): void {
    const { world, id, log } = this;
    const { etcd, rules } = world;
    this.session = session;
    const identity = { self: id, session: this.session, incarnation: etcd.record.incarnation };
    this.seenRevision = etcd.recordRevision;
    this.replica = new rules.Replica(identity, etcd.record, etcd.recordRevision, log, settings);
    this.loop(() => this.tick(), 60);
    this.settle();
  }

  /** `kept`: how many of the writes that were not synced are there afterwards. */
  stop(kept: number): void {
    this.life++;
    this.replica = this.reign = this.following = null;
    this.isSyncing = false;
    this.owed = [];
    this.asking = [];
    this.conversations.clear();
    this.refusals.clear();
    this.log.crash(kept);
  }

  loseDisk(): void {
    this.log = this.world.rules.makeLog();
    if (this.world.rules.newDiskIsNewMember) this.id = `${this.name}${Number(this.id.slice(1)) + 1}`;
  }

  /** Runs it in this process, or never; while the process is paused it waits. */
  within(run: () => void): () => void {
    const { life } = this;
    const attempt = () => {
      if (this.life !== life) return;
      const { time } = this.world;
      if (time.nowMs < this.pausedUntilMs) time.after(this.pausedUntilMs - time.nowMs + 1, attempt);
      else {
        run();
        this.settle();
      }
    };
    return attempt;
  }

  private loop(run: () => void, everyMs: number): void {
    const again = this.within(() => {
      run();
      this.world.time.after(everyMs + this.world.random.integer(everyMs), again);
    });
    this.world.time.after(this.world.random.integer(everyMs), again);
  }

  // -- the record --------------------------------------------------------------------------------------------------

  seen(record: MirrorRecord, revision: number): void {
    if (revision <= this.seenRevision) return;
    this.seenRevision = revision;
    this.replica!.seen(record, revision);
  }

  private tick(): void {
    const { world, replica, id } = this;
    const { etcd, time, random } = world;
    const isLive = (other: string) => etcd.sessions.has(other) && (world.isHealed || !random.chance(0.02));
    const proposal = replica!.tick(time.nowMs, { sessions: etcd.sessions, isLive });
    if (proposal !== null) this.write(proposal);
    else if (replica!.leader !== null && !this.resign()) this.replaceLost(id);
    // What was waiting for somebody may be committed now, and is looked at before it is consumed.
    this.settle();
    if (replica!.leader !== null) this.consume(replica!.leader);
  }

  /** Now and then somebody else is to lead. */
  private resign(): boolean {
    const { world, replica, id } = this;
    if (world.isHealed || !world.wishes.chance(0.01)) return false;
    const others = replica!.view.record.inSync.filter((other) => other !== id);
    if (others.length === 0) return false;
    const proposal = replica!.resign(others[world.wishes.integer(others.length)]!);
    if (proposal === null) return false;
    world.checks.counts.resignations++;
    this.write(proposal);
    return true;
  }

  private replaceLost(self: string): void {
    const { world, replica } = this;
    const { record, isWaiting } = replica!.view;
    if (isWaiting) return;
    for (const { name, id } of world.nodes) {
      const gone = record.replicas.find((other) => other.startsWith(name) && other !== id);
      const next =
        gone === undefined ? null : replacement(record, gone, id, `${self}/${this.session}/r${world.time.nowMs}`);
      if (next === null) continue;
      const proposal = { next, joiner: null };
      replica!.view.propose(proposal);
      this.write(proposal);
      return;
    }
  }

  private write(proposal: Proposal): void {
    const { world, replica } = this;
    const guard = replica!.view.revision;
    const answered = this.within(() => replica!.lost(proposal));
    let isAnswered = false;
    const answer = (run: () => void) => {
      if (isAnswered) return;
      isAnswered = true;
      run();
    };
    world.writeRecord(this, proposal, guard, (isApplied) =>
      answer(this.within(() => (isApplied ? undefined : replica!.refused(proposal)))),
    );
    world.time.after(250, () => answer(answered));
  }

  // -- following ---------------------------------------------------------------------------------------------------

  private pull(): void {
    const { world, replica } = this;
    const follower = replica!.follower;
    const pull = follower?.pull() ?? null;
    if (follower === null || pull === null) return;
    const number = ++this.pulls;
    const { leader } = follower;
    const next = () => {
      if (number === this.pulls && this.replica!.follower === follower) this.pull();
    };
    const take = (answer: Answer, entries: readonly ReplicaEntry[]) => {
      const { end } = this.log;
      if (!follower.take(answer, entries)) return;
      if (answer.welcome !== null && answer.upTo < end) world.checks.counts.cuts++;
      if (answer.welcome?.image != null) world.checks.counts.images++;
      if (answer.filledUpTo > 0) world.checks.counts.fills++;
      world.time.after(2 + world.random.integer(30), this.within(next));
    };
    world.sendPull(this, leader, pull, (answer, entries) => this.within(() => take(answer, entries))());
    const broken = () => {
      if (number !== this.pulls || this.replica!.follower !== follower) return;
      if (world.random.chance(0.5)) this.replica!.broken();
      this.pull();
    };
    world.time.after(150, this.within(broken));
  }

  /** As the leader of whoever pulls. */
  pulled(pull: Pull): { answer: Answer; entries: ReplicaEntry[] } | null {
    const answer = this.replica?.leader?.pulled(pull, this.world.time.nowMs) ?? null;
    if (answer === null) return null;
    const entries: ReplicaEntry[] = [];
    for (const { first, last } of answer.entries)
      for (let position = first; position <= last; position++) entries.push(this.log.entry(position)!);
    return { answer, entries };
  }

  // -- leading -----------------------------------------------------------------------------------------------------

  /** What follows from anything that happened here: writes go to the disk, and what is committed is looked at. */
  private settle(): void {
    this.sync();
    const { replica, world } = this;
    // Whatever made it follow somebody else, or the same one again.
    const follower = replica?.follower ?? null;
    if (follower !== this.following) {
      this.following = follower;
      if (follower !== null) this.pull();
    }
    const leader = replica?.leader ?? null;
    if (leader !== this.reign) this.begins(leader);
    if (leader === null) return;
    if (leader.committed > this.reported) {
      const from = this.reported;
      this.reported = leader.committed;
      world.checks.advanced(leader, this.log, from, (position) => world.copies(position), world.etcd.record.min);
      if (!this.hasHeld && leader.committed >= leader.firstPosition) {
        this.hasHeld = true;
        // One that does not know yet that another leads owes nothing but what it committed.
        if (leader.epoch === world.etcd.record.epoch) world.checks.holds(this.log);
      }
    }
    this.owed = this.owed.filter(({ number, done }) => {
      if (number > leader.changesCommitted) return true;
      done();
      return false;
    });
    this.reply(leader);
  }

  private begins(leader: Leader | null): void {
    this.reign = leader;
    this.owed = [];
    this.asking = [];
    this.conversations.clear();
    this.refusals.clear();
    this.hasHeld = false;
    if (leader === null) return;
    this.reported = leader.committed;
    this.world.checks.counts.reigns++;
  }

  private sync(): void {
    if (this.isSyncing || this.log.unsyncedCount === 0) return;
    this.isSyncing = true;
    const { log, world } = this;
    const operation = log.operations;
    const done = () => {
      log.sync(operation);
      this.isSyncing = false;
      this.replica!.synced(operation);
    };
    world.time.after(world.syncMs(this), this.within(done));
  }

  /** Consumers: some messages are settled, some given back. */
  private consume(leader: Leader): void {
    const { world, log } = this;
    const { random, checks } = world;
    if (!this.hasHeld) return;
    for (const { first, last } of log.liveIn(1, leader.committed)) {
      for (let position = first; position <= last; position++) {
        if (!random.chance(world.consumedShare)) continue;
        if (random.chance(0.3)) this.giveBack(leader, position);
        else if (random.chance(0.1))
          leader.change({ kind: 'pend', position, reason: 'rejected', atMs: world.time.nowMs });
        else {
          const number = leader.change({ kind: 'settle', first: position, last: position });
          checks.settles(position);
          this.owed.push({ number, done: () => checks.settlesForGood(position) });
        }
      }
    }
  }

  private giveBack(leader: Leader, position: number): void {
    const count = (this.log.state.returns.get(position)?.count ?? 0) + 1;
    const change = { kind: 'returned', position, count } as const;
    const number = leader.change(change);
    this.owed.push({ number, done: () => this.world.checks.returnedForGood(change) });
  }

  published(publishes: Publishes, reply: (verdicts: Verdicts) => void): void {
    const leader = this.replica?.leader ?? null;
    const { origin, conversation, sequences, low } = publishes;
    if (leader === null || conversation < (this.conversations.get(origin) ?? 0)) return;
    this.conversations.set(origin, conversation);
    const refusals = this.refusals.get(origin) ?? new Set();
    this.refusals.set(origin, refusals);
    for (const sequence of sequences) {
      if (leader.origins.verdict(origin, sequence) !== 'new' || refusals.has(sequence)) continue;
      if (leader.isShort(this.world.time.nowMs) || this.world.random.chance(0.1)) refusals.add(sequence);
      else this.append(leader, origin, sequence, low);
    }
    this.asking.push({ publishes, position: this.log.end, reply });
  }

  private append(leader: Leader, origin: string, sequence: number, low: number): void {
    const position = this.log.end + 1;
    const provenance = { origin, sequence, low };
    this.log.append({ position, provenance, bytes });
    leader.appended([provenance]);
    this.world.checks.appended(leader.epoch, position, `${origin}#${sequence}`);
  }

  private reply(leader: Leader): void {
    this.asking = this.asking.filter(({ publishes, position, reply }) => {
      if (leader.committed < position) return true;
      const { origin, conversation, request } = publishes;
      const { held, refused } = this.world.rules.verdicts(leader.origins, origin);
      for (const sequence of this.refusals.get(origin) ?? []) refused.add(sequence, sequence);
      reply({ conversation, request, held, refused });
      return false;
    });
  }
}
