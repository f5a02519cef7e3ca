import { ClusterNode, type EtcdTxn, type Mirror, NameClaims, SimEtcdClient, Writer } from '@chapar/cluster';
import { type Broker, GuardFailedError, type JsonValue, type SharedQueue, type VirtualHost } from '@chapar/core';
import { Gossip } from '../../../packages/cluster/src/gossip.js';
import { Control } from '../../../packages/cluster/src/peer/control.js';
import { Link } from '../../../packages/cluster/src/peer/link.js';
import { readNeeds } from '../../../packages/cluster/src/peer/outgoing.js';
import { Seen } from '../../../packages/cluster/src/seen.js';
import { type Mutant, replace } from './mutant.js';

/** Faults in what nodes know of each other. */
export const mutantsOfMetadata: readonly Mutant[] = [
  {
    name: 'a bind is answered before the other nodes know of it',
    scenario: 'random-quiet',
    seedsMax: 20,
    plant: () => replace(Seen.prototype, 'by', () => () => undefined),
  },
  {
    name: 'a watch that broke goes on with what happens from then on',
    scenario: 'etcd-compacted',
    seedsMax: 5,
    plant: () => {
      const watched = new WeakSet<object>();
      return replace(
        SimEtcdClient.prototype,
        'watch',
        (original) =>
          function (this: never, ...args: never[]) {
            const [prefix, from, sink] = args as unknown as [string, number, object];
            const { etcd } = this as unknown as { etcd: { keys: { revision: number } } };
            const isAgain = watched.has(this);
            watched.add(this);
            return original.apply(this, [prefix, isAgain ? etcd.keys.revision + 1 : from, sink] as never);
          },
      );
    },
  },
  {
    name: 'a change is written in a session that is over',
    scenario: 'stale-session',
    seedsMax: 2,
    plant: () =>
      replace(
        SimEtcdClient.prototype,
        'txn',
        (original) =>
          function (this: never, ...args: never[]) {
            const [txn] = args as unknown as [EtcdTxn];
            const isMark = ({ key }: { readonly key: string }) => key.includes('/marks/');
            if (txn.compare.length !== 1 || !isMark(txn.compare[0]!)) return original.apply(this, args);
            const success = txn.success.map((op) => (op.kind === 'put' && isMark(op) ? { ...op, lease: null } : op));
            return original.apply(this, [{ ...txn, compare: [], success } as never]);
          },
      ),
  },
  {
    name: 'who is refused by a guard does not see yet what stood against it',
    scenario: 'declared-twice',
    seedsMax: 3,
    plant: () =>
      replace(
        Writer.prototype,
        'done',
        (original) =>
          function (this: never, ...args: never[]) {
            const [batch, , failedKeys] = args as unknown as [
              { readonly changes: readonly { reject(error: Error): void }[] },
              number,
              readonly (string | null)[],
            ];
            for (const [i, key] of failedKeys.entries()) {
              if (key !== null) batch.changes[i]!.reject(new GuardFailedError(key));
            }
            return original.apply(this, args);
          },
      ),
  },
  {
    name: 'what comes from a node that knows more is not kept waiting',
    scenario: 'balanced',
    seedsMax: 2,
    plant: () => replace(Link.prototype, 'awaits', () => () => false),
  },
  {
    name: 'the latest word on a transient queue counts, whoever has its name',
    scenario: 'names-in-any-order',
    seedsMax: 2,
    plant: () => {
      const undo = replace(
        Gossip.prototype,
        'yields',
        () =>
          function (this: never, ...args: never[]) {
            const [vhost, existing] = args as unknown as [VirtualHost, SharedQueue];
            const { topology } = (this as unknown as { broker: Broker }).broker;
            if (existing.home === null || topology.revisionOf(existing) > 0) return false;
            topology.dropQueue(vhost, existing);
            return true;
          },
      );
      const undoFreed = replace(Gossip.prototype, 'freed', () => () => undefined);
      return () => {
        undoFreed();
        undo();
      };
    },
  },
  {
    name: 'a node forgets what a peer has applied when a lane is opened anew',
    scenario: 'applied-before-lane',
    seedsMax: 5,
    plant: () =>
      replace(
        Control.prototype,
        'opened',
        (original) =>
          function (this: never, ...args: never[]) {
            Object.assign(this, { appliedRevision: 0, announcedSequence: 0 });
            return original.apply(this, args);
          },
      ),
  },
  {
    name: 'a name that could not be given back is forgotten when it is claimed in vain',
    scenario: 'names-while-full',
    seedsMax: 5,
    plant: () =>
      replace(
        NameClaims.prototype,
        'claim',
        () =>
          async function (this: never, ...args: never[]) {
            const [key, value] = args as unknown as [string, JsonValue];
            const claims = this as unknown as {
              held: Map<string, object>;
              underWay: Set<string>;
              put(claim: object): Promise<boolean>;
            };
            if (claims.held.has(key)) return true;
            if (claims.underWay.has(key)) return false;
            const claim = { key, value, lease: null };
            claims.underWay.add(key);
            try {
              if (!(await claims.put(claim))) return false;
              claims.held.set(key, claim);
              return true;
            } finally {
              claims.underWay.delete(key);
            }
          },
      ),
  },
  {
    name: 'what waits on a link that was opened anew is forgotten when the node has caught up',
    scenario: 'broken-while-behind',
    seedsMax: 2,
    plant: () =>
      replace(
        Link.prototype,
        'awaits',
        () =>
          function (this: never, ...args: never[]) {
            const [batch, isQueued = false] = args as unknown as [Buffer, boolean?];
            const link = this as unknown as {
              parts: { mirror: Mirror };
              waiting: Buffer[];
              isBehind: boolean;
              incoming: object;
              process(): void;
            };
            const needs = readNeeds(batch);
            const { mirror } = link.parts;
            if (needs <= mirror.revision) return false;
            if (!isQueued) link.waiting.push(batch);
            link.isBehind = true;
            const lane = link.incoming;
            void mirror.at(needs).then(() => {
              link.isBehind = false;
              if (lane === link.incoming) link.process();
            });
            return true;
          },
      ),
  },
  {
    name: 'the name of an exclusive queue is claimed by whoever asks',
    scenario: 'random-quiet',
    seedsMax: 20,
    plant: () => replace(ClusterNode.prototype, 'claim', () => async () => true),
  },
];
