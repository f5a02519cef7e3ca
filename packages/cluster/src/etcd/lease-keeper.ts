import type { Clock, Timer } from '@chapar/platform';
import type { Etcd3, ILeaseKeepAliveResponse } from 'etcd3';
import { EtcdError, type LeaseId } from './etcd.js';

type Stream = Awaited<ReturnType<Etcd3['leaseClient']['leaseKeepAlive']>>;

interface Asker {
  readonly lease: LeaseId;
  readonly deadline: Timer;
  readonly resolve: (seconds: number) => void;
  readonly reject: (error: Error) => void;
}

/** The stream on which leases are renewed. Over at the first failure; then another one is made. */
export class LeaseKeeper {
  private readonly clock: Clock;
  private readonly deadlineMs: number;
  private readonly opening: Promise<Stream>;
  private stream: Stream | null = null;
  private askers: Asker[] = [];
  isOver = false;

  constructor(member: Etcd3, clock: Clock, deadlineMs: number) {
    this.clock = clock;
    this.deadlineMs = deadlineMs;
    this.opening = member.leaseClient.leaseKeepAlive();
    this.opening.then(
      (stream) => this.begin(stream),
      (error: Error) => this.fail(error),
    );
  }

  /** Seconds that the lease has; 0: it is over. Rejects when there is no answer in time. */
  keep(lease: LeaseId): Promise<number> {
    return new Promise((resolve, reject) => {
      const deadline = this.clock.after(this.deadlineMs, () =>
        this.fail(new EtcdError('unknown', 'etcd did not renew the lease in time')),
      );
      this.askers.push({ lease, deadline, resolve, reject });
      this.opening.then((stream) => stream.write({ ID: lease })).catch(() => undefined);
    });
  }

  end(): void {
    this.fail(new EtcdError('unknown', 'the client is closed'));
  }

  private begin(stream: Stream): void {
    stream.on('error', (error) => this.fail(error));
    stream.on('end', () => this.fail(new EtcdError('unknown', 'etcd ended the stream of lease renewals')));
    stream.on('data', (response) => this.receive(response));
    this.stream = stream;
    if (this.isOver) stream.cancel();
  }

  private receive({ ID, TTL }: ILeaseKeepAliveResponse): void {
    const answered = this.askers.filter(({ lease }) => lease === ID);
    this.askers = this.askers.filter(({ lease }) => lease !== ID);
    for (const { deadline, resolve } of answered) {
      deadline.cancel();
      resolve(Number(TTL));
    }
  }

  private fail(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stream?.cancel();
    const { askers } = this;
    this.askers = [];
    for (const { deadline, reject } of askers) {
      deadline.cancel();
      reject(error);
    }
  }
}
