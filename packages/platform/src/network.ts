/** One end of a connection. IPv6 addresses without brackets. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** What TLS told about the peer; null on a plain wire. */
export interface TlsSession {
  readonly protocol: string;
  readonly cipher: string;
  /** The verified client certificate, null when the peer sent none. */
  readonly peerCertificate: PeerCertificate | null;
}

export interface PeerCertificate {
  /** RFC 4514 text, most specific part first: `CN=alice,O=Example`. */
  readonly subject: string;
  readonly issuer: string;
  readonly commonNames: readonly string[];
  /** Subject alternative names by type: `dns`, `email`, `uri`, `ip`, in certificate order. */
  readonly alternativeNames: readonly { readonly type: 'dns' | 'email' | 'uri' | 'ip'; readonly value: string }[];
  readonly serialNumber: string;
  /** Milliseconds since 1970. */
  readonly validUntilMs: number;
}

/** Who is called about a wire. Calls never nest within a call to the wire. */
export interface WireSink {
  /** Bytes arrived. The chunk is never reused by the platform: views into it stay valid. */
  received(chunk: Buffer): void;
  /** Everything written so far has been handed to the kernel; `unsentBytes` is 0. Called once after unsentBytes had exceeded 0 at the end of a write. */
  drained(): void;
  /** The peer ended its side; what we still write may arrive. */
  ended(): void;
  /** The wire is gone, whoever closed it; nothing follows. */
  closed(error: Error | null): void;
}

/** A connected byte stream: a TCP or TLS socket, or its simulated twin. */
export interface Wire {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly tls: TlsSession | null;
  /** Starts reading. Must be called once, in the turn in which the wire was accepted. */
  open(sink: WireSink): void;
  /** Hands over bytes, which must not change before `written` is called (in order, exactly once each; also when the wire breaks). */
  write(bytes: Buffer, written: (() => void) | null): void;
  /** Several pieces with one system call; `written` as above, once for all. */
  writev(parts: readonly Buffer[], written: (() => void) | null): void;
  /** Bytes accepted by `write` and not yet handed to the kernel. */
  readonly unsentBytes: number;
  /** Bytes received and sent since the wire was accepted. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  pause(): void;
  resume(): void;
  /** Sends what is written, then closes our side. */
  end(): void;
  /** Closes at once, dropping what is unsent. */
  destroy(): void;
}

/** PEM file paths. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string;
  /** none: do not ask; optional: verify when sent; required: refuse a peer without a certificate of our CA. */
  readonly clientCertificate: 'none' | 'optional' | 'required';
}

export interface ListenOptions {
  /** Null: all interfaces (dual stack where there is one). */
  readonly host: string | null;
  /** 0 picks a free port. */
  readonly port: number;
  readonly tls: TlsFiles | null;
  readonly backlog?: number;
  /** How long a TLS handshake may take, 10,000 by default. */
  readonly handshakeTimeoutMs?: number;
}

export interface Listener {
  readonly endpoint: Endpoint;
  /** Stops accepting; open wires go on. */
  close(): Promise<void>;
  /** Reads the TLS files again; connections from now on get the new certificates. On an error the old ones stay. Nothing to do without TLS. */
  reload(): Promise<void>;
}

export interface Network {
  /** Throws node's errors (EADDRINUSE, EACCES, ...). A failed TLS handshake is reported to `refused` and never reaches `accept`. */
  listen(
    options: ListenOptions,
    accept: (wire: Wire) => void,
    refused?: (remote: Endpoint | null, error: Error) => void,
  ): Promise<Listener>;
}
