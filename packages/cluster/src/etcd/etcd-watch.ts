import type { Clock, Timer } from '@chapar/platform';
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import type { Etcd3, IWatchResponse } from 'etcd3';
import type { EtcdRevision, EtcdWatchSink } from './etcd.js';
import { decodeEvents, endOfPrefix } from './wire.js';

/** How often the watch is asked whether it lives. Milliseconds. */
const askEveryMs = 2000;
/** Without any word for so long it is dead. Milliseconds. */
const silenceMaxMs = 5000;

/** Without this a member that has lost its leader keeps a watch open and silent; with it the watch ends, and goes on at another member. */
const requireLeader: Interceptor = (options, next) =>
  new InterceptingCall(next(options), {
    start: (metadata, listener, start) => {
      // Shared between calls where etcd asks for a password.
      const own = metadata.clone();
      own.set('hasleader', 'true');
      start(own, listener);
    },
  });

type Stream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

/** One watch on one stream. It ends at the first thing that goes wrong: whoever wants to go on begins another one behind the last event. */
export class EtcdWatch {
  private readonly member: Etcd3;
  private readonly clock: Clock;
  private readonly prefix: string;
  private readonly from: EtcdRevision;
  private readonly sink: EtcdWatchSink;
  private stream: Stream | null = null;
  private asking: Timer | null = null;
  private heardMs = 0;
  private isOver = false;

  constructor(member: Etcd3, clock: Clock, prefix: string, from: EtcdRevision, sink: EtcdWatchSink) {
    this.member = member;
    this.clock = clock;
    this.prefix = prefix;
    this.from = from;
    this.sink = sink;
  }

  start(): void {
    this.heardMs = this.clock.monotonicMs();
    this.asking = this.clock.every(askEveryMs, () => this.ask());
    this.member.watchClient.watch({ interceptors: [requireLeader] }).then(
      (stream) => this.begin(stream),
      (error: Error) => this.end(null, error.message),
    );
  }

  stop(): void {
    this.isOver = true;
    this.asking?.cancel();
    this.stream?.cancel();
  }

  private begin(stream: Stream): void {
    // A cancelled stream still says so; nobody is interested.
    stream.on('error', (error) => this.end(null, error.message));
    stream.on('end', () => this.end(null, 'etcd ended the stream'));
    stream.on('data', (response) => this.receive(response));
    if (this.isOver) {
      stream.cancel();
      return;
    }
    this.stream = stream;
    stream.write({
      create_request: {
        key: Buffer.from(this.prefix),
        range_end: endOfPrefix(this.prefix),
        start_revision: this.from,
      },
    });
  }

  private receive(response: IWatchResponse): void {
    if (this.isOver) return;
    this.heardMs = this.clock.monotonicMs();
    if (response.canceled) {
      const compacted = Number(response.compact_revision);
      this.end(compacted > 0 ? compacted : null, response.cancel_reason || 'etcd cancelled the watch');
    } else if (response.events.length > 0) {
      this.sink.changed(decodeEvents(response));
    } else {
      this.sink.heard();
    }
  }

  private ask(): void {
    const silentMs = this.clock.monotonicMs() - this.heardMs;
    if (silentMs > silenceMaxMs) this.end(null, `nothing was heard for ${Math.round(silentMs)} ms`);
    else this.stream?.write({ progress_request: {} });
  }

  private end(compacted: EtcdRevision | null, reason: string): void {
    if (this.isOver) return;
    this.stop();
    this.sink.ended({ compacted, reason });
  }
}
