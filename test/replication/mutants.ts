import {
  type Answer,
  Follower,
  firstNonce,
  Leader,
  type MirrorRecord,
  type Proposal,
  type Pull,
  promotion,
  Ranges,
  Replica,
  type ReplicaEntry,
  type Standing,
  type Surroundings,
  type Welcome,
} from '@chapar/cluster';
import { type Rules, replicaOf, soundRules } from './rules.js';

/** A rule left out, to see whether the simulator would notice. */
export interface Mutant {
  readonly name: string;
  readonly rules: Rules;
  /** It is caught within so many. */
  readonly seeds: number;
}

const withReplica = (kind: typeof Replica): Rules => ({ ...soundRules, Replica: kind });

/** 1: the set grows while the answer is lost. */
class CountsTheRecordOnly extends Leader {
  protected override countedSet(): ReadonlySet<string> {
    return new Set(this.view.record.inSync);
  }
}

/** 1, 11: what was not answered is taken for failed. */
class TakesLostForRefused extends Replica {
  override lost(proposal: Proposal): void {
    this.refused(proposal);
  }
}

/** 2: one epoch, two histories. */
class LeadsOnAfterRestart extends Replica {
  override tick(nowMs: number, surroundings: Surroundings): Proposal | null {
    const { record, isWaiting } = this.view;
    if (this.leader === null && !isWaiting && record.leader === this.self) this.resume();
    return super.tick(nowMs, surroundings);
  }

  private resume(): void {
    const { log } = this;
    const { epoch } = this.view.record;
    // The reign goes on, with the entry that it began with if that is still there.
    if (log.history.latest >= epoch) {
      const begin = log.begin;
      log.begin = () => log.pass(log.end + 1);
      this.leader = this.makeLeader();
      log.begin = begin;
    } else this.leader = this.makeLeader();
  }
}

/** 2: as long as the record is as it was made, and nothing is left of what was sent. */
class BeginsAgainAsNamed extends Replica {
  protected override get isFirst(): boolean {
    const { record } = this.view;
    return record.nonce === firstNonce && record.leader === this.self && this.log.end === 0;
  }
}

/** 3: KIP-101's reason. */
class CutsToItsCommitted extends Follower {
  protected override cutPoint(): number {
    return this.log.committed;
  }
}

/** 3: nothing is cut. */
class NeverCuts extends Follower {
  protected override cutPoint(): number {
    return this.log.end;
  }
}

/** 3: KIP-279's reason. */
class AsksForItsLastEpochOnly extends Follower {
  protected override cutPoint({ starts, end }: Welcome): number {
    const { latest } = this.log.history;
    const next = starts.find(({ epoch }) => epoch > latest);
    return Math.min(this.log.end, next === undefined ? end : next.first - 1);
  }
}

/** 4: the settled rise again. */
class SendsNoImage extends Leader {
  override pulled(pull: Pull, nowMs: number): Answer | null {
    const answer = super.pulled(pull, nowMs);
    if (answer === null || answer.welcome === null) return answer;
    return { ...answer, welcome: { ...answer.welcome, image: null } };
  }
}

/** 4: what lives is told, and what lacks is not fetched. */
class FillsNothing extends Leader {
  override pulled(pull: Pull, nowMs: number): Answer | null {
    return super.pulled({ ...pull, lacks: [] }, nowMs);
  }
}

/** 5, 9: anybody may lead. */
class LeadsFromOutsideTheSet extends Replica {
  protected override promoted(record: MirrorRecord): MirrorRecord {
    const next = promotion(record, this.self, this.nonce());
    return { ...next, inSync: next.inSync.includes(this.self) ? next.inSync : [...next.inSync, this.self] };
  }

  protected override delayMs(nowMs: number, surroundings: Surroundings): number | null {
    const { leader } = this.view.record;
    if (leader !== null && surroundings.sessions.has(leader)) return super.delayMs(nowMs, surroundings);
    return 0;
  }
}

/** 6: the last replica standing. */
class ShrinksBelowMin extends Leader {
  protected override without(record: MirrorRecord, id: string, nonce: string): MirrorRecord | null {
    return { ...record, inSync: record.inSync.filter((other) => other !== id), nonce };
  }
}

/** 6, 9: whoever leads calls itself the whole set. */
class PromotesItselfAlone extends Replica {
  protected override promoted(record: MirrorRecord): MirrorRecord {
    return { ...promotion(record, this.self, this.nonce()), inSync: [this.self] };
  }
}

/** 7: the fold runs ahead. */
class FoldsToItsEnd extends Follower {
  protected override commit(): void {
    super.commit(this.log.end);
  }
}

/** 8: joins by the committed that a fresh leader knows. */
class WelcomesByItsCommitted extends Leader {
  protected override isWelcome(follower: Standing): boolean {
    return follower.session > 0 && follower.synced >= this.committed;
  }
}

/** 24, 27: acknowledges what is not on the disk. */
class AcknowledgesUnsynced extends Follower {
  protected override get acknowledged(): number {
    return super.acknowledged === 0 ? 0 : this.log.end;
  }
}

/** Acknowledges before it agrees. */
class AcknowledgesBeforeItAgrees extends Follower {
  private syncedEnd = 0;

  override synced(operation: number): void {
    super.synced(operation);
    if (operation === this.log.operations) this.syncedEnd = this.log.end;
  }

  protected override get acknowledged(): number {
    return Math.min(this.syncedEnd, this.log.end);
  }
}

/** Late answers of an earlier conversation are taken. */
class TakesAnyAnswer extends Follower {
  private last: Pull | null = null;

  override pull(): Pull | null {
    this.last = super.pull();
    return this.last;
  }

  override take(answer: Answer, entries: readonly ReplicaEntry[]): boolean {
    const { last } = this;
    return last !== null && super.take({ ...answer, link: last.link, number: last.number }, entries);
  }
}

/** 13: when 5 was refused and 6 taken, "up to 6" reads as 5 stored. */
const upToTheLast: Rules['verdicts'] = (origins, origin) => {
  const held = new Ranges();
  held.add(1, origins.held(origin).last);
  return { held, refused: new Ranges() };
};

/** 13: what is held is forgotten with the reign. */
class ForgetsOrigins extends Leader {
  constructor(...given: ConstructorParameters<typeof Leader>) {
    super(...given);
    for (const { origin } of this.origins.table()) this.origins.forget(origin);
  }
}

export const mutants: readonly Mutant[] = [
  {
    name: 'a proposed member is not counted',
    rules: withReplica(replicaOf({ leader: CountsTheRecordOnly })),
    seeds: 600,
  },
  { name: 'a lost answer is taken for a refusal', rules: withReplica(TakesLostForRefused), seeds: 2400 },
  {
    name: 'a restarted leader begins by the record as it was made',
    rules: withReplica(BeginsAgainAsNamed),
    seeds: 20_000,
  },
  { name: 'a restarted leader goes on in its epoch', rules: withReplica(LeadsOnAfterRestart), seeds: 50 },
  {
    name: 'a follower cuts to its committed',
    rules: withReplica(replicaOf({ follower: CutsToItsCommitted })),
    seeds: 50,
  },
  { name: 'a follower never cuts', rules: withReplica(replicaOf({ follower: NeverCuts })), seeds: 50 },
  {
    name: 'a follower asks for its last epoch only',
    rules: withReplica(replicaOf({ follower: AsksForItsLastEpochOnly })),
    seeds: 50,
  },
  { name: 'a leader does not tell what lives', rules: withReplica(replicaOf({ leader: SendsNoImage })), seeds: 50 },
  { name: 'what lacks is not sent', rules: withReplica(replicaOf({ leader: FillsNothing })), seeds: 50 },
  { name: 'a new disk is the old member', rules: { ...soundRules, newDiskIsNewMember: false }, seeds: 50 },
  { name: 'one outside the set leads', rules: withReplica(LeadsFromOutsideTheSet), seeds: 50 },
  { name: 'the set shrinks below min', rules: withReplica(replicaOf({ leader: ShrinksBelowMin })), seeds: 50 },
  { name: 'who leads is the whole set', rules: withReplica(PromotesItselfAlone), seeds: 50 },
  { name: 'a follower folds to its end', rules: withReplica(replicaOf({ follower: FoldsToItsEnd })), seeds: 50 },
  {
    name: 'a member joins by the inherited committed',
    rules: withReplica(replicaOf({ leader: WelcomesByItsCommitted })),
    seeds: 300,
  },
  {
    name: 'what is not synced is acknowledged',
    rules: withReplica(replicaOf({ follower: AcknowledgesUnsynced })),
    seeds: 50,
  },
  {
    name: 'a follower acknowledges before it agrees',
    rules: withReplica(replicaOf({ follower: AcknowledgesBeforeItAgrees })),
    seeds: 600,
  },
  { name: 'late answers are taken', rules: withReplica(replicaOf({ follower: TakesAnyAnswer })), seeds: 50 },
  { name: 'a highest number stands for what is held', rules: { ...soundRules, verdicts: upToTheLast }, seeds: 50 },
  {
    name: 'a new leader does not know what it holds',
    rules: withReplica(replicaOf({ leader: ForgetsOrigins })),
    seeds: 50,
  },
];
