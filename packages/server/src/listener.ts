import type { Endpoint, Listener, NodePlatform, TlsFiles, Wire } from '@chapar/platform';
import { formatAddress } from './config/address.js';
import type { ServerOptions } from './config/options.js';
import { type Protocol, protocols, tlsProtocols } from './config/protocols.js';
import { listenForWebSockets, type WebSocketTerms } from './websocket/listener.js';

/** What takes the wires of each protocol. */
export type Doors = { readonly [protocol in Protocol]?: (wire: Wire) => void };

/** The ports of the doors that speak over plain wires: opened together, closed together. */
export class Listeners {
  private readonly options: ServerOptions;
  private readonly platform: NodePlatform;
  private readonly listening = new Map<Protocol, Listener>();
  private readonly bound = new Map<Protocol, Endpoint>();
  /** Where those listened that do not now, and will again. */
  private readonly suspended = new Map<Protocol, Endpoint>();

  constructor(options: ServerOptions, platform: NodePlatform) {
    this.options = options;
    this.platform = platform;
  }

  /** Listens for every protocol that is configured and has a door. Throws the network's error, with nothing left listening. */
  async open(doors: Doors): Promise<void> {
    try {
      for (const protocol of protocols) {
        const wanted = this.options.listeners[protocol];
        const accept = doors[protocol];
        if (wanted === undefined || accept === undefined) continue;
        const address = { ...wanted, port: this.suspended.get(protocol)?.port ?? wanted.port };
        const tls = tlsFilesFor(protocol, this.options);
        const refused = (remote: Endpoint | null, error: Error) => this.refused(protocol, remote, error);
        const { network } = this.platform;
        const terms = webSocketTerms(protocol, this.options);
        const listener = await (terms === null
          ? network.listen({ ...address, tls }, accept, refused)
          : listenForWebSockets(network, { ...address, tls }, terms, accept, refused));
        this.listening.set(protocol, listener);
        this.add(protocol, listener.endpoint);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** A port that another door opened by itself. */
  add(protocol: Protocol, endpoint: Endpoint): void {
    this.bound.set(protocol, endpoint);
  }

  /** Where a protocol really listens; null when it does not. */
  endpoint(protocol: Protocol): Endpoint | null {
    return this.bound.get(protocol) ?? null;
  }

  /** Where each really listens, as text. */
  get endpoints(): { [protocol in Protocol]?: string } {
    const endpoints: { [protocol in Protocol]?: string } = {};
    for (const [protocol, { port }] of this.bound) {
      endpoints[protocol] = formatAddress({ host: this.options.listeners[protocol]!.host, port });
    }
    return endpoints;
  }

  get addresses(): { protocol: string; address: string; port: number }[] {
    return [...this.bound].map(([protocol, { address, port }]) => ({ protocol, address, port }));
  }

  /** Until they are opened again, at the same ports, nobody is let in. */
  async suspend(): Promise<void> {
    for (const protocol of this.listening.keys()) {
      this.suspended.set(protocol, this.bound.get(protocol)!);
      this.bound.delete(protocol);
    }
    await this.close();
  }

  async close(): Promise<void> {
    const listening = [...this.listening.values()];
    this.listening.clear();
    await Promise.all(listening.map((listener) => listener.close()));
  }

  private refused(protocol: Protocol, remote: Endpoint | null, error: Error): void {
    const peer = remote === null ? 'a peer that is gone' : formatAddress({ host: remote.address, port: remote.port });
    this.platform.log
      .of('server')
      .warn({ protocol, peer, error: error.message }, `TLS handshake with ${peer} failed: ${error.message}`);
  }
}

/** Beside its payload, what a message over WebSocket may have. Bytes. */
const headBytesMax = 128 * 1024;

/** Null for what does not go over WebSocket. [MQTT-6.0.0-3], [MQTT-6.0.0-4]; `mqttv3.1` is what clients of 3.1 say. */
function webSocketTerms(protocol: Protocol, options: ServerOptions): WebSocketTerms | null {
  if (protocol !== 'mqtt-ws' && protocol !== 'mqtt-wss') return null;
  return {
    paths: ['/ws', '/mqtt'],
    subprotocols: ['mqtt', 'mqttv3.1'],
    origins: options.mqtt.webSocketOrigins,
    messageBytesMax: options.limits.maxMessageSize + headBytesMax,
  };
}

/** The certificate of a TLS protocol's listener; null for the plain ones. */
export function tlsFilesFor(protocol: Protocol, options: ServerOptions): TlsFiles | null {
  return tlsProtocols.includes(protocol) ? options.tls : null;
}
