import { Copy, Follower, Leader, MirroredLog, Replica, type Surroundings } from '@chapar/cluster';
import { Origins } from '@chapar/core';
import { GuestConsumer } from '../../../packages/cluster/src/guest/guest-consumer.js';
import { GuestLine } from '../../../packages/cluster/src/guest/guest-line.js';
import { Leads } from '../../../packages/cluster/src/guest/leads.js';
import { KeptPublishes } from '../../../packages/cluster/src/remote/kept-publishes.js';
import { KeptSettlements } from '../../../packages/cluster/src/remote/kept-settlements.js';
import type { RemoteConsumer } from '../../../packages/cluster/src/remote/remote-consumer.js';
import type { RemoteQueue } from '../../../packages/cluster/src/remote/remote-queue.js';
import { Settlements } from '../../../packages/cluster/src/remote/settlements.js';
import { Allegiance } from '../../../packages/cluster/src/replication/allegiance.js';
import { QueueTime } from '../../../packages/cluster/src/replication/queue-time.js';
import { Reign } from '../../../packages/cluster/src/replication/reign.js';
import { ReplicationLanes } from '../../../packages/cluster/src/replication/replication-lanes.js';
import { SettledEdge } from '../../../packages/cluster/src/replication/settled-edge.js';
import { Doubt } from '../../../packages/core/src/queue/doubt.js';
import { WalReplica } from '../../../packages/store/src/replica.js';
import { type Mutant, replace, replaceGetter } from './mutant.js';

/** Faults in copies of mirrored queues, and in how their leaders follow each other. */
export const mutantsOfMirrors: readonly Mutant[] = [
  {
    name: 'a member that was proposed is not counted',
    scenario: 'mirrored-grows',
    seedsMax: 5,
    plant: () =>
      replace(
        Leader.prototype,
        'countedSet',
        () =>
          function (this: never) {
            const { view } = this as unknown as { view: { record: { inSync: readonly string[] } } };
            return new Set(view.record.inSync);
          },
      ),
  },
  {
    name: 'who led and was started again goes on in its epoch',
    scenario: 'mirrored-restarts',
    seedsMax: 10,
    plant: () =>
      replace(
        Replica.prototype,
        'tick',
        (original) =>
          function (this: never, ...args: never[]) {
            const replica = this as unknown as Restarted;
            const { record, isWaiting } = replica.view;
            if (replica.leader === null && !isWaiting && record.leader === replica.self) resume(replica);
            return original.apply(this, args as unknown as [never, Surroundings & never]);
          },
      ),
  },
  {
    name: 'a follower never cuts what its leader has not',
    scenario: 'mirrored-inherits',
    seedsMax: 10,
    plant: () =>
      replace(
        Follower.prototype,
        'cutPoint',
        () =>
          function (this: never) {
            return (this as unknown as Logged).log.end;
          },
      ),
  },
  {
    name: 'a follower that was away is not told what was settled and forgotten meanwhile',
    scenario: 'mirrored-away',
    seedsMax: 3,
    plant: () =>
      replace(
        Leader.prototype,
        'welcome',
        (original) =>
          function (this: never, ...args: never[]) {
            const answer = original.apply(this, args) as { welcome: object };
            return { ...answer, welcome: { ...answer.welcome, image: null } };
          },
      ),
  },
  {
    name: 'a follower acknowledges what is not on its disk yet',
    scenario: 'mirrored-unsynced',
    seedsMax: 5,
    plant: () => {
      const undoAcknowledged = replaceGetter(Follower.prototype, 'acknowledged', (original, follower) => {
        return original() === 0 ? 0 : (follower as unknown as Logged).log.end;
      });
      // And says so at once, not with the next pull that the disk allows.
      const undoAnswered = replace(
        Copy.prototype,
        'answered',
        (original) =>
          function (this: never, ...args: never[]) {
            original.apply(this, args);
            const copy = this as unknown as { pullAfter: number | null; pull(): void };
            if (copy.pullAfter === null) return;
            copy.pullAfter = null;
            copy.pull();
          },
      );
      return () => {
        undoAnswered();
        undoAcknowledged();
      };
    },
  },
  {
    name: 'the set is made as small as one',
    scenario: 'mirrored-last',
    seedsMax: 3,
    plant: () =>
      replace(
        Leader.prototype,
        'without',
        () =>
          function (this: never, ...args: never[]) {
            const [record, gone, nonce] = args as unknown as [{ inSync: readonly string[] }, string, string];
            return { ...record, inSync: record.inSync.filter((id) => id !== gone), nonce };
          },
      ),
  },
  {
    name: 'publishes without a verdict are not sent to the next leader',
    scenario: 'mirrored-kill',
    seedsMax: 5,
    plant: () => replace(KeptPublishes.prototype, 'all', () => () => []),
  },
  {
    name: 'the next leader takes publishes that it holds',
    scenario: 'mirrored-random-links',
    seedsMax: 5,
    plant: () => replace(Reign.prototype, 'verdict', () => () => 'new'),
  },
  {
    name: 'what consumers claim is given to others',
    scenario: 'mirrored-claims',
    seedsMax: 3,
    plant: () =>
      replace(
        GuestConsumer.prototype,
        'claim',
        (original) =>
          function (this: never, ...args: never[]) {
            return original.apply(this, [[] as never, args[1]!, args[2]!]);
          },
      ),
  },
  {
    name: 'settlements that are not for good are not said to the next leader',
    scenario: 'mirrored-claims',
    seedsMax: 5,
    plant: () =>
      replace(
        KeptSettlements.prototype,
        'renew',
        () =>
          function (this: never) {
            (this as unknown as KeptSettlements).clear();
          },
      ),
  },
  {
    name: 'a queue is opened before what its leader inherited is committed',
    scenario: 'mirrored-inherits',
    seedsMax: 10,
    plant: () => replaceGetter(Reign.prototype, 'mayOpen', (_, reign) => !reign.isOpen && !reign.isOver),
  },
  {
    name: 'what the leader before may have delivered is not flagged',
    scenario: 'mirrored-random-kills',
    seedsMax: 20,
    plant: () =>
      replace(
        WalReplica.prototype,
        'state',
        (original) =>
          function (this: never) {
            return { ...(original.apply(this, []) as object), deliveredUpTo: 0 };
          },
      ),
  },
  {
    name: 'verdicts on what a single-active consumer held come before it does',
    scenario: 'mirrored-single-active',
    seedsMax: 5,
    plant: () => {
      const undo = replace(GuestLine.prototype, 'returns', () => () => undefined);
      const undoReturned = replace(GuestLine.prototype, 'returned', () => () => undefined);
      return () => {
        undoReturned();
        undo();
      };
    },
  },
  {
    name: 'messages grow old by the clock of whoever leads',
    scenario: 'mirrored-expiry',
    seedsMax: 3,
    plant: () => replace(QueueTime.prototype, 'heard', () => () => undefined),
  },
  {
    name: 'a leader that was stopped hands out what it had',
    scenario: 'mirrored-paused',
    seedsMax: 5,
    plant: () => replace(Doubt.prototype, 'arises', () => () => false),
  },
  {
    name: 'who is cut off etcd serves for as long as nobody tells it otherwise',
    scenario: 'mirrored-doubted',
    seedsMax: 5,
    plant: () => replace(Allegiance.prototype, 'holds', () => () => true),
  },
  {
    name: 'pulls of copies that are gone are kept',
    scenario: 'mirrored-rebuilt',
    seedsMax: 5,
    plant: () => replace(ReplicationLanes.prototype, 'removed', () => () => undefined),
  },
  {
    name: 'dead letters are numbered by the node that sends them, and not by the queue that they leave',
    scenario: 'mirrored-letters-handed',
    seedsMax: 5,
    plant: () => replace(MirroredLog.prototype, 'provenanceOf', () => () => undefined),
  },
  {
    name: 'a dead letter that comes behind later ones is taken for one that was refused',
    scenario: 'mirrored-letters',
    seedsMax: 5,
    plant: () =>
      replace(
        Origins.prototype,
        'verdict',
        (original) =>
          function (this: never, ...args: never[]) {
            const [origin, sequence] = args as unknown as [string, number];
            const verdict = original.apply(this, args);
            const { last } = (this as unknown as Origins).held(origin);
            return verdict === 'new' && sequence < last ? 'over' : verdict;
          },
      ),
  },
  {
    name: 'what lives still is among what will never be a dead letter',
    scenario: 'mirrored-letters',
    seedsMax: 5,
    plant: () =>
      replace(
        SettledEdge.prototype,
        'look',
        () =>
          function (this: never, ...args: never[]) {
            const [, , committed] = args as unknown as [number, number, number];
            return committed;
          },
      ),
  },
  {
    name: 'a node that has not heard yet that a queue is mirrored is not waited for',
    scenario: 'policy-in-use',
    seedsMax: 3,
    plant: () => replace(Leads.prototype, 'isKnownToAll', () => () => true),
  },
  {
    name: 'what consumers settled and went is lost when their queue is mirrored',
    scenario: 'policy-in-use',
    seedsMax: 12,
    plant: () =>
      replace(
        Settlements.prototype,
        'takeOf',
        (original) =>
          function (this: never, ...args: never[]) {
            const [queue, take] = args as unknown as [
              RemoteQueue,
              (consumer: RemoteConsumer, ...what: never[]) => void,
            ];
            const isThere = ({ id }: RemoteConsumer) => queue.host.consumers.has(id);
            const some = (consumer: RemoteConsumer, ...what: never[]) => {
              if (isThere(consumer)) take(consumer, ...what);
            };
            original.apply(this, [queue, some] as never);
          },
      ),
  },
  {
    name: 'a node is not told the places of its consumers before their queue is mirrored',
    scenario: 'policy-in-use',
    seedsMax: 12,
    plant: () => replaceGetter(GuestConsumer.prototype, 'order', () => 0),
  },
];

/** Those that take many seeds. */
export const rareMutantsOfMirrors: readonly Mutant[] = [
  {
    name: 'a follower cuts to what it knows to be committed',
    scenario: 'mirrored-random-disks',
    seedsMax: 200,
    plant: () =>
      replace(
        Follower.prototype,
        'cutPoint',
        () =>
          function (this: never) {
            return (this as unknown as Logged).log.committed;
          },
      ),
  },
];

interface Logged {
  readonly log: { readonly end: number; readonly committed: number };
}

/** What a process finds that led before it ended. */
interface Restarted {
  readonly self: string;
  readonly view: {
    readonly record: { readonly leader: string | null; readonly epoch: number };
    readonly isWaiting: boolean;
  };
  readonly log: {
    readonly end: number;
    readonly history: { readonly latest: number };
    begin: unknown;
    pass(upTo: number): void;
  };
  leader: object | null;
  makeLeader(): object;
}

/** The reign goes on, with the entry that it began with if that is still there. */
function resume(replica: Restarted): void {
  const { log } = replica;
  const { begin } = log;
  if (log.history.latest >= replica.view.record.epoch) log.begin = () => log.pass(log.end + 1);
  replica.leader = replica.makeLeader();
  log.begin = begin;
}
