import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  connectivityState,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { Carried, Lane, LaneKind, LaneSink, PeerListener, PeerTransport } from './lane.js';

/** Certificates of the nodes, PEM; both sides verify each other against `ca`. */
export interface PeerTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Largest batch, with room to spare for one message of the largest size. Bytes. */
const batchBytesMax = 600 * 1024 * 1024;
/** Of a stream that we opened; a server's is 64 KiB and cannot be set (grpc-node#3058), which is why bulk flows towards the opener. Bytes. */
const windowBytes = 8 * 1024 * 1024;
const pingEveryMs = 5000;
const pingTimeoutMs = 5000;

const asIs = (bytes: Buffer): Buffer => bytes;

const method = (name: string) => ({
  path: `/chapar.v1.Peer/${name}`,
  requestStream: true as const,
  responseStream: true as const,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

const methods: { readonly [K in LaneKind]: ReturnType<typeof method> } = {
  bulk: method('Bulk'),
  control: method('Control'),
  replication: method('Replication'),
};
const service: ServiceDefinition = { ...methods };

const options = {
  'grpc.max_receive_message_length': batchBytesMax,
  'grpc.max_send_message_length': batchBytesMax,
  'grpc.keepalive_time_ms': pingEveryMs,
  'grpc.keepalive_timeout_ms': pingTimeoutMs,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc-node.flow_control_window': windowBytes,
  // One connection for each address: lanes of the same kind to the same node share nothing they should not.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
};

/** Lanes as bidirectional gRPC streams whose messages are our batches, byte for byte. */
export class GrpcTransport implements PeerTransport {
  private readonly tls: PeerTls | null;
  private readonly clients = new Map<string, Client>();

  constructor(tls: PeerTls | null) {
    this.tls = tls;
  }

  async listen(host: string, port: number, accept: (kind: LaneKind, lane: Lane) => void): Promise<PeerListener> {
    const server = new Server(options);
    server.addService(service, {
      bulk: (stream: ServerDuplexStream<Buffer, Buffer>) => accept('bulk', new GrpcLane(stream)),
      control: (stream: ServerDuplexStream<Buffer, Buffer>) => accept('control', new GrpcLane(stream)),
      replication: (stream: ServerDuplexStream<Buffer, Buffer>) => accept('replication', new GrpcLane(stream)),
    });
    const bound = await new Promise<number>((resolve, reject) => {
      const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      server.bindAsync(address, this.serverCredentials(), (error, at) =>
        error === null ? resolve(at) : reject(error),
      );
    });
    return {
      port: bound,
      close: async () => server.forceShutdown(),
    };
  }

  connect(address: string, kind: LaneKind): Lane {
    let client = this.clients.get(address);
    if (client === undefined) {
      client = new Client(address, this.clientCredentials(), options);
      this.clients.set(address, client);
    }
    const { path, requestSerialize, responseDeserialize } = methods[kind];
    const lane = new GrpcLane(client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize));
    lane.onGivenUp = () => this.leaveStuck(address, client);
    return lane;
  }

  /**
   * A peer that vanishes between its kernel's answer and its own leaves a connection that is neither made nor failed: nothing is sent on
   * it, so nobody finds out, and gRPC sets no time for it. Whoever comes next begins with another one.
   */
  private leaveStuck(address: string, client: Client): void {
    if (this.clients.get(address) !== client) return;
    if (client.getChannel().getConnectivityState(false) === connectivityState.READY) return;
    this.clients.delete(address);
    client.close();
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }

  private clientCredentials(): ChannelCredentials {
    if (this.tls === null) return credentials.createInsecure();
    const { ca, cert, key } = this.tls;
    return credentials.createSsl(ca, key, cert);
  }

  private serverCredentials(): ServerCredentials {
    if (this.tls === null) return ServerCredentials.createInsecure();
    const { ca, cert, key } = this.tls;
    return ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
  }
}

type Stream = ClientDuplexStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

class GrpcLane implements Lane {
  private readonly stream: Stream;
  private sink: LaneSink | null = null;
  private isClosed = false;
  private hasHeard = false;
  private why = '';
  /** We close it and have heard nothing on it. */
  onGivenUp: () => void = () => {};

  constructor(stream: Stream) {
    this.stream = stream;
    // Before `open` too: an unheard error would end the process.
    stream.on('error', (error: Error) => this.gone(error.message));
    stream.on('close', () => this.gone('the stream was closed'));
  }

  open(sink: LaneSink): void {
    this.sink = sink;
    if (this.isClosed) {
      queueMicrotask(() => sink.closed(this.why));
      return;
    }
    const { stream } = this;
    stream.on('data', (batch: Buffer) => {
      this.hasHeard = true;
      sink.received(batch);
    });
    stream.on('drain', () => sink.drained());
    // A server's stream also tells that the other side went without ending it.
    stream.on('cancelled', () => this.gone('the peer cancelled the stream'));
    stream.on('end', () => this.gone('the peer ended the stream'));
  }

  send(batch: Buffer, _carried: Carried | null = null, left?: () => void): boolean {
    if (this.isClosed) return false;
    const stream = this.stream as { write(bytes: Buffer, written?: () => void): boolean };
    // A server's stream has copied what it has written; a client's may keep it, to send it again.
    return 'cancel' in stream || left === undefined ? stream.write(batch) : stream.write(batch, left);
  }

  close(reason: string): void {
    if (this.isClosed) return;
    this.gone(reason);
    // Both kinds have one of the two.
    if ('cancel' in this.stream) this.stream.cancel();
    else this.stream.end();
    if (!this.hasHeard) this.onGivenUp();
  }

  private gone(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.why = reason;
    this.sink?.closed(reason);
  }
}
