import type { Clock, Log } from '@chapar/platform';
import { noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';
import {
  type Etcd,
  type EtcdEntry,
  EtcdError,
  type EtcdRevision,
  type EtcdStatus,
  type EtcdTxn,
  type EtcdTxnResult,
  type EtcdWatchSink,
  type LeaseId,
} from './etcd.js';
import { EtcdWatch } from './etcd-watch.js';
import { LeaseKeeper } from './lease-keeper.js';
import { decodeEntry, decodeTxn, encodeTxn, endOfPrefix } from './wire.js';

export interface EtcdClientOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoints: readonly string[];
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer | null; readonly key: Buffer | null } | null;
  readonly auth: { readonly user: string; readonly password: string } | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** Every call is answered within this or counts as lost. Milliseconds. */
const deadlineMs = 2000;
/** Keys in one answer. */
const pageKeys = 1000;
/** etcd closes connections that are pinged more often than every 5 s. Milliseconds. */
const pingEveryMs = 7000;

/**
 * A real etcd, over the stubs of the `etcd3` package without its watches, leases, retries and circuit breakers (docs/adr/0009). One
 * endpoint is used until a call to it fails; the next call goes to the next one. Nothing is repeated here: whoever called knows whether
 * that is safe.
 */
export class EtcdClient implements Etcd {
  private readonly members: readonly Etcd3[];
  private current = 0;
  private readonly clock: Clock;
  private readonly log: Log;
  private keeper: LeaseKeeper | null = null;
  private readonly watches = new Set<EtcdWatch>();

  constructor({ endpoints, tls, auth, clock, log }: EtcdClientOptions) {
    if (endpoints.length === 0) throw new RangeError('at least one etcd endpoint is needed');
    this.members = endpoints.map((endpoint) => new Etcd3(optionsFor(endpoint, tls, auth)));
    this.clock = clock;
    this.log = log;
  }

  async range(prefix: string): Promise<{ readonly revision: EtcdRevision; readonly entries: readonly EtcdEntry[] }> {
    const entries: EtcdEntry[] = [];
    const range_end = endOfPrefix(prefix);
    let key = Buffer.from(prefix);
    let revision = 0;
    for (;;) {
      const page = await this.call((member, options) => {
        return member.kv.range({ key, range_end, limit: pageKeys, revision }, options);
      });
      revision ||= Number(page.header.revision);
      for (const kv of page.kvs) entries.push(decodeEntry(kv));
      const last = page.kvs[page.kvs.length - 1];
      if (!page.more || last === undefined) return { revision, entries };
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  async txn(txn: EtcdTxn): Promise<EtcdTxnResult> {
    return decodeTxn(await this.call((member, options) => member.kv.txn(encodeTxn(txn), options)));
  }

  async grantLease(ttlSeconds: number): Promise<LeaseId> {
    const { ID } = await this.call((member, options) => member.leaseClient.leaseGrant({ TTL: ttlSeconds }, options));
    return ID;
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    await this.call((member, options) => member.leaseClient.leaseRevoke({ ID: lease }, options));
  }

  async compact(revision: EtcdRevision): Promise<void> {
    await this.call((member, options) => member.kv.compact({ revision }, options));
  }

  async status(): Promise<EtcdStatus> {
    const status = await this.call((member, options) => member.maintenance.status(options));
    // As `memberID:8211f1d0f64f3269 alarm:NOSPACE`, and other complaints that are no alarms.
    const alarms = status.errors.flatMap((error) => /alarm:(\w+)/.exec(error)?.[1] ?? []);
    return {
      version: status.version,
      databaseBytes: Number(status.dbSize),
      databaseBytesInUse: Number(status.dbSizeInUse),
      hasLeader: status.leader !== '0',
      alarms: [...new Set(alarms)].sort(),
    };
  }

  async keepLease(lease: LeaseId): Promise<number> {
    if (this.keeper === null || this.keeper.isOver) this.keeper = new LeaseKeeper(this.member, this.clock, deadlineMs);
    try {
      return await this.keeper.keep(lease);
    } catch (error) {
      this.moveOn();
      throw asEtcdError(error);
    }
  }

  watch(prefix: string, from: EtcdRevision, sink: EtcdWatchSink): () => void {
    const watch: EtcdWatch = new EtcdWatch(this.member, this.clock, prefix, from, {
      changed: (events) => sink.changed(events),
      heard: () => sink.heard(),
      ended: (why) => {
        this.watches.delete(watch);
        if (why.compacted === null) this.moveOn();
        sink.ended(why);
      },
    });
    this.watches.add(watch);
    watch.start();
    return () => {
      this.watches.delete(watch);
      watch.stop();
    };
  }

  close(): void {
    for (const watch of this.watches) watch.stop();
    this.watches.clear();
    this.keeper?.end();
    for (const member of this.members) member.close();
  }

  private get member(): Etcd3 {
    return this.members[this.current % this.members.length]!;
  }

  private moveOn(): void {
    if (this.members.length === 1) return;
    this.current++;
    this.log.debug({ endpoint: this.current % this.members.length }, 'going on with the next etcd endpoint');
  }

  private async call<T>(run: (member: Etcd3, options: { deadline: number }) => Promise<T>): Promise<T> {
    const { current } = this;
    try {
      // gRPC wants a deadline by the wall clock.
      return await run(this.member, { deadline: Date.now() + deadlineMs });
    } catch (error) {
      const failure = asEtcdError(error);
      // Calls that fail together move on once.
      if (failure.outcome === 'unknown' && this.current === current) this.moveOn();
      throw failure;
    }
  }
}

function optionsFor(endpoint: string, tls: EtcdClientOptions['tls'], auth: EtcdClientOptions['auth']): IOptions {
  return {
    hosts: endpoint,
    ...(tls === null ? {} : { credentials: credentials(tls) }),
    ...(auth === null
      ? {}
      : {
          auth: {
            username: auth.user,
            password: auth.password,
            callOptions: () => ({ deadline: Date.now() + deadlineMs }),
          },
        }),
    grpcOptions: {
      'grpc.max_receive_message_length': 64 * 1024 * 1024,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.keepalive_time_ms': pingEveryMs,
      'grpc.keepalive_timeout_ms': deadlineMs,
      // etcd3 connects anew after a failure, and would be given the connection that it left: one that is taken and never answered, as by a
      // machine that vanished meanwhile, for ever (gRPC sets no time for it).
      'grpc.use_local_subchannel_pool': 1,
    },
    faultHandling: { host: () => noop, global: noop },
  };
}

function credentials({ ca, cert, key }: NonNullable<EtcdClientOptions['tls']>): NonNullable<IOptions['credentials']> {
  return { rootCertificate: ca, ...(cert === null || key === null ? {} : { certChain: cert, privateKey: key }) };
}

/**
 * What etcd says when a request had no effect: refused by its rules or its permissions. Not by its quota: the transaction that finds the
 * database full is applied and answered with an error all the same.
 */
const refusals = [
  'too many operations in txn request',
  'duplicate key given in txn request',
  'request is too large',
  'larger than max',
  'requested lease not found',
  'mvcc: required revision',
  'permission denied',
  'authentication failed',
  'invalid auth token',
  'user name is empty',
  'authentication is not enabled',
  'is expired or revoked',
];

function asEtcdError(error: unknown): EtcdError {
  if (error instanceof EtcdError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const outcome = refusals.some((refusal) => message.includes(refusal)) ? 'refused' : 'unknown';
  return new EtcdError(outcome, message, { cause: error });
}
