import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Endpoint, Listener, ListenOptions, Network, Wire } from '@chapar/platform';
import { WebSocketServer } from 'ws';
import { SocketWire } from './socket-wire.js';
import { WireStream } from './wire-stream.js';

/** What is taken over WebSocket. */
export interface WebSocketTerms {
  readonly paths: readonly string[];
  /** One that a client offers is chosen, the first here first; clients that offer none are taken, too. */
  readonly subprotocols: readonly string[];
  /** Of pages; empty: all. */
  readonly origins: readonly string[];
  /** Of one message. */
  readonly messageBytesMax: number;
}

/** How long a peer may take to say what it wants. */
const upgradeMs = 10_000;

/** Listens for WebSockets and hands them to a door as wires, over the same ports, TLS and certificates as plain wires. RFC 6455. */
export async function listenForWebSockets(
  network: Network,
  options: ListenOptions,
  terms: WebSocketTerms,
  accept: (wire: Wire) => void,
  refused: (remote: Endpoint | null, error: Error) => void,
): Promise<Listener> {
  const http = createServer({ headersTimeout: upgradeMs, requestTimeout: upgradeMs }, (request, response) => {
    const known = isPath(request, terms);
    response.writeHead(known ? 426 : 404, { 'content-type': 'text/plain', upgrade: 'websocket', connection: 'close' });
    response.end(known ? 'This port speaks WebSocket.\n' : 'There is nothing here.\n');
  });
  const sockets = new WebSocketServer({
    noServer: true,
    // Compression costs more memory for each client than the client itself.
    perMessageDeflate: false,
    maxPayload: terms.messageBytesMax,
    handleProtocols: (offered) => terms.subprotocols.find((each) => offered.has(each)) ?? false,
  });
  http.on('upgrade', (request, socket, head) => {
    const stream = socket as unknown as WireStream;
    const status = refusal(request, terms);
    if (status !== 0) {
      stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (webSocket) => {
      accept(new SocketWire(webSocket, stream, wires.get(stream)!));
    });
  });
  const wires = new WeakMap<WireStream, Wire>();
  return network.listen(
    options,
    (wire) => {
      const stream = new WireStream(wire);
      wires.set(stream, wire);
      wire.open(stream.sink);
      http.emit('connection', stream);
    },
    refused,
  );
}

function isPath({ url = '' }: IncomingMessage, { paths }: WebSocketTerms): boolean {
  return paths.includes(url.split('?', 1)[0]!);
}

/** The HTTP status of why not; 0: it may. Browsers name their page's origin, and others need not. */
function refusal(request: IncomingMessage, terms: WebSocketTerms): number {
  if (!isPath(request, terms)) return 404;
  const { origin } = request.headers;
  if (origin !== undefined && terms.origins.length > 0 && !terms.origins.includes(origin)) return 403;
  const offered = request.headers['sec-websocket-protocol'];
  const names = offered === undefined ? [] : offered.split(',').map((name) => name.trim());
  return names.length === 0 || terms.subprotocols.some((name) => names.includes(name)) ? 0 : 400;
}
