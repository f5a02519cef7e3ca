import { readFile } from 'node:fs/promises';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Endpoint, Listener, Network, TlsFiles, TlsSession, Wire, WireSink } from '../network.js';
import { tlsSessionOf } from '../node/certificate.js';
import { NodeNetwork } from '../node/network.js';
import { addressOf, NodeTlsWire, NodeWire } from '../node/wire.js';
import type { ChunkCut } from '../sim/fabric.js';
import { createSimPlatform } from '../sim/platform.js';

interface NetworkUnderTest {
  readonly network: Network;
  /** What listeners get; with files, `connect` makes TLS wires. */
  readonly tls: TlsFiles | null;
  /** A client's wire, not yet opened. */
  connect(to: Endpoint): Promise<Wire>;
  /** Lets things happen until the condition holds; throws when it never does. */
  until(condition: () => boolean): Promise<void>;
  /** Lets everything happen that is under way. */
  quiet(): Promise<void>;
  dispose(): Promise<void>;
}

/** A sink that writes down what it was told. */
class Notes implements WireSink {
  readonly chunks: Buffer[] = [];
  readonly calls: string[] = [];
  error: Error | null = null;
  wire: Wire;
  onChunk: ((chunk: Buffer) => void) | null = null;
  onClosed: (() => void) | null = null;

  constructor(wire: Wire) {
    this.wire = wire;
    wire.open(this);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  count(call: string): number {
    return this.calls.filter((made) => made === call).length;
  }

  received(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.calls.push('received');
    this.onChunk?.(chunk);
  }

  drained(): void {
    this.calls.push('drained');
    expect(this.wire.unsentBytes).toBe(0);
  }

  ended(): void {
    this.calls.push('ended');
  }

  closed(error: Error | null): void {
    this.calls.push('closed');
    this.error = error;
    this.onClosed?.();
  }
}

/** What every network does. */
function networkContract(name: string, make: () => Promise<NetworkUnderTest>): void {
  describe(`${name}: network contract`, () => {
    let under: NetworkUnderTest;
    let listener: Listener;
    let accepted: Notes[];

    const place = (port: number) => ({ host: '127.0.0.1', port, tls: under.tls });
    beforeEach(async () => {
      under = await make();
      accepted = [];
      listener = await under.network.listen(place(0), (wire) => accepted.push(new Notes(wire)));
    });
    afterEach(async () => {
      await listener.close();
      for (const notes of accepted) notes.wire.destroy();
      await under.quiet();
      await under.dispose();
    });

    async function pair(): Promise<{ client: Notes; server: Notes }> {
      const count = accepted.length;
      const client = new Notes(await under.connect(listener.endpoint));
      await under.until(() => accepted.length > count);
      return { client, server: accepted[count]! };
    }

    it('names both ends', async () => {
      const { client, server } = await pair();
      expect(server.wire.local).toEqual({ address: '127.0.0.1', port: listener.endpoint.port });
      expect(server.wire.remote).toEqual(client.wire.local);
      expect(client.wire.remote).toEqual(server.wire.local);
      expect(server.wire.tls === null).toBe(under.tls === null);
    });

    it('carries bytes both ways in order, in chunks that stay valid', async () => {
      const { client, server } = await pair();
      server.onChunk = (chunk) => server.wire.write(chunk, null);
      const sent: Buffer[] = [];
      for (let i = 0; i < 300; i++) {
        const bytes = Buffer.alloc(1 + ((i * 7_919) % 9_000), i);
        sent.push(bytes);
        client.wire.write(bytes, null);
      }
      const all = Buffer.concat(sent);
      await under.until(() => client.bytes === all.length);
      expect(Buffer.concat(client.chunks).equals(all)).toBe(true);
      expect(Buffer.concat(server.chunks).equals(all)).toBe(true);
      expect(client.wire.sentBytes).toBe(all.length);
      expect(client.wire.receivedBytes).toBe(all.length);
      expect(server.wire.receivedBytes).toBe(all.length);
      expect(server.wire.sentBytes).toBe(all.length);
    });

    it('writes pieces together and tells once, after the call', async () => {
      const { client, server } = await pair();
      const told: string[] = [];
      client.wire.writev([Buffer.from('a'), Buffer.alloc(0), Buffer.from('bc')], () => told.push('first'));
      client.wire.write(Buffer.from('d'), () => told.push('second'));
      client.wire.writev([Buffer.from('e')], () => told.push('third'));
      client.wire.writev([], () => told.push('nothing'));
      expect(told).toEqual([]);
      await under.until(() => server.text === 'abcde' && told.length === 4);
      expect(told).toEqual(['first', 'second', 'third', 'nothing']);
    });

    it('takes no notice of changes after written', async () => {
      const { client, server } = await pair();
      const slab = Buffer.alloc(100_000);
      let written = 0;
      const next = () => {
        if (++written > 40) return;
        slab.fill(written);
        client.wire.write(slab, next);
      };
      next();
      await under.until(() => server.bytes === 4_000_000);
      const bytes = Buffer.concat(server.chunks);
      for (let i = 0; i < 40; i++) expect([bytes[i * 100_000], bytes[i * 100_000 + 99_999]]).toEqual([i + 1, i + 1]);
    });

    it('shows what a peer that does not read leaves unsent, and tells when it is gone', async () => {
      const { client, server } = await pair();
      server.wire.pause();
      let [writes, written] = [0, 0];
      // Kernels grow their buffers as they see fit, so: until something stays behind.
      while (client.wire.unsentBytes < 1_000_000) {
        writes++;
        client.wire.write(Buffer.alloc(500_000, writes), () => written++);
        await under.quiet();
      }
      // TLS hands over later even when there is room, so there may have been some before.
      const drainedBefore = client.count('drained');
      expect(written).toBeLessThan(writes);
      expect(server.bytes).toBe(0);
      server.wire.resume();
      await under.until(() => server.bytes === writes * 500_000 && written === writes);
      await under.quiet();
      expect(client.count('drained')).toBe(drainedBefore + 1);
      expect(client.wire.unsentBytes).toBe(0);
    });

    it.each(['client', 'server'] as const)('tells drained if and only if something stayed behind: %s', async (end) => {
      const both = await pair();
      const [near, far] = end === 'client' ? [both.client, both.server] : [both.server, both.client];
      let drained = 0;
      for (let i = 1; i <= 5; i++) {
        near.wire.write(Buffer.from('little'), null);
        if (near.wire.unsentBytes > 0) drained++;
        await under.until(() => far.bytes === i * 6);
        await under.quiet();
      }
      expect(near.count('drained')).toBe(drained);
    });

    it('brings nothing after pause, also when paused from within, and loses nothing', async () => {
      const { client, server } = await pair();
      server.onChunk = () => server.wire.pause();
      client.wire.write(Buffer.alloc(300_000, 1), null);
      await under.until(() => server.chunks.length === 1);
      client.wire.write(Buffer.alloc(300_000, 2), null);
      await under.quiet();
      expect(server.chunks.length).toBe(1);
      while (server.bytes < 600_000) {
        const before = server.chunks.length;
        server.wire.resume();
        await under.until(() => server.chunks.length > before);
        await under.quiet();
        expect(server.chunks.length).toBe(before + 1);
      }
      expect(
        Buffer.concat(server.chunks).equals(Buffer.concat([Buffer.alloc(300_000, 1), Buffer.alloc(300_000, 2)])),
      ).toBe(true);
    });

    it('lets one side end and the other go on', async () => {
      const { client, server } = await pair();
      client.wire.write(Buffer.from('last words'), null);
      client.wire.end();
      await under.until(() => server.count('ended') === 1);
      expect(server.text).toBe('last words');
      expect(server.count('closed')).toBe(0);
      server.wire.write(Buffer.from('answer'), null);
      server.wire.end();
      await under.until(() => client.count('closed') === 1 && server.count('closed') === 1);
      expect(client.text).toBe('answer');
      expect([client.error, server.error]).toEqual([null, null]);
      for (const { calls } of [client, server]) {
        expect(calls.filter((call) => call !== 'drained').slice(-2)).toEqual(['ended', 'closed']);
        expect(calls.at(-1)).toBe('closed');
      }
    });

    it('sends what is written before an end, however slow the peer is', async () => {
      const { client, server } = await pair();
      server.wire.pause();
      client.wire.write(Buffer.alloc(8_000_000, 7), null);
      client.wire.end();
      await under.quiet();
      server.wire.resume();
      await under.until(() => server.count('ended') === 1);
      expect(server.bytes).toBe(8_000_000);
    });

    it('destroys at once: every written comes, in order, then closed, then nothing', async () => {
      const { client, server } = await pair();
      server.wire.pause();
      const told: number[] = [];
      let writes = 0;
      while (client.wire.unsentBytes < 1_000_000) {
        const number = writes++;
        client.wire.write(Buffer.alloc(500_000), () => told.push(number));
      }
      client.onClosed = () => told.push(-1);
      client.wire.destroy();
      const number = writes++;
      client.wire.write(Buffer.from('too late'), () => told.push(number));
      client.wire.writev([Buffer.from('too'), Buffer.from('late')], null);
      client.wire.destroy();
      await under.until(() => client.count('closed') === 1 && told.length > writes);
      expect(told).toEqual([...Array.from({ length: writes }, (_, index) => index), -1]);
      expect(client.error).toBe(null);
      server.wire.resume();
      await under.until(() => server.count('ended') + server.count('closed') > 0);
      server.wire.end();
      await under.until(() => server.count('closed') === 1);
      await under.quiet();
      expect(client.calls.at(-1)).toBe('closed');
      expect(client.count('closed')).toBe(1);
    });

    it('tells the other side when a peer vanishes with bytes unread', async () => {
      const { client, server } = await pair();
      client.wire.pause();
      server.wire.write(Buffer.alloc(200_000), null);
      await under.quiet();
      client.wire.destroy();
      // Whoever still writes to it hears of the reset at the latest then.
      for (let i = 0; i < 5 && server.count('closed') === 0; i++) {
        server.wire.write(Buffer.alloc(1_000), null);
        await under.quiet();
      }
      await under.until(() => server.count('closed') === 1);
      expect((server.error as NodeJS.ErrnoException | null)?.code).toMatch(/ECONNRESET|EPIPE/);
    });

    it('may be destroyed from within received', async () => {
      const { client, server } = await pair();
      server.onChunk = () => server.wire.destroy();
      client.wire.write(Buffer.alloc(1_000), null);
      await under.until(() => server.count('closed') === 1);
      expect(server.calls).toEqual(['received', 'closed']);
    });

    it('tells EADDRINUSE', async () => {
      const { port } = listener.endpoint;
      await expect(under.network.listen(place(port), () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
    });

    it('stops accepting and leaves open wires alone', async () => {
      const { client, server } = await pair();
      await listener.close();
      const refused = under.connect(listener.endpoint).then(
        (wire) => new Notes(wire),
        (error) => error.code,
      );
      const outcome = await refused;
      if (outcome instanceof Notes)
        await under.until(() => (outcome.error as NodeJS.ErrnoException)?.code === 'ECONNREFUSED');
      else expect(outcome).toBe('ECONNREFUSED');
      client.wire.write(Buffer.from('still here'), null);
      await under.until(() => server.text === 'still here');
      expect(accepted.length).toBe(1);
    });
  });
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const fixture = (file: string) => fileURLToPath(new URL(`../node/fixtures/${file}`, import.meta.url));
const files: TlsFiles = {
  certFile: fixture('server.pem'),
  keyFile: fixture('server.key.pem'),
  clientCertificate: 'none',
};

for (const tlsFiles of [null, files]) {
  networkContract(tlsFiles === null ? 'Node' : 'Node, TLS', async () => {
    const wires: Wire[] = [];
    return {
      network: new NodeNetwork(),
      tls: tlsFiles,
      connect: async (to) => {
        const wire = await (tlsFiles === null ? connectPlain(to) : connectTls(to));
        wires.push(wire);
        return wire;
      },
      until: async (condition) => {
        const deadlineMs = performance.now() + 10_000;
        while (!condition()) {
          if (performance.now() > deadlineMs) throw new Error('it never happened');
          await sleep(1);
        }
      },
      quiet: () => sleep(30),
      dispose: async () => {
        for (const wire of wires) wire.destroy();
      },
    };
  });
}

// One byte, for the reasons that network.ts gives; where a server cannot set it, its client must do without as well.
const options = { allowHalfOpen: true };
const highWaterMark = 1;

function connectPlain(to: Endpoint): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(
      { ...options, highWaterMark, port: to.port, host: to.address } as TcpNetConnectOpts,
      () => {
        socket.off('error', reject);
        resolve(wireOf(socket, null));
      },
    ).once('error', reject);
  });
}

async function connectTls(to: Endpoint): Promise<Wire> {
  const ca = await readFile(fixture('ca.pem'));
  return new Promise((resolve, reject) => {
    const place = { port: to.port, host: to.address, servername: 'localhost', ca };
    const socket = tls.connect({ ...options, ...place } as tls.ConnectionOptions, () => {
      socket.off('error', reject);
      resolve(wireOf(socket, tlsSessionOf(socket)));
    });
    socket.once('error', reject);
  });
}

function wireOf(socket: Socket, session: TlsSession | null): Wire {
  const local = addressOf(socket.localAddress, socket.localPort)!;
  const remote = addressOf(socket.remoteAddress, socket.remotePort)!;
  return new (session === null ? NodeWire : NodeTlsWire)(socket, local, remote, session);
}

const cuts: { chunks: ChunkCut; delayMs: { min: number; max: number } }[] = [
  { chunks: 'whole', delayMs: { min: 0, max: 0 } },
  { chunks: 'cut', delayMs: { min: 0.1, max: 20 } },
];
for (const { chunks, delayMs } of cuts) {
  networkContract(`simulated, ${chunks} chunks, ${delayMs.max} ms`, async () => {
    const sim = createSimPlatform(7);
    Object.assign(sim.world.fabric, { chunks, delayMs });
    return {
      network: sim.network,
      tls: null,
      connect: async (to) => sim.network.connect({ port: to.port }),
      until: async (condition) => {
        for (let i = 0; i < 100 && !condition(); i++) await sim.clock.advance(1_000);
        if (!condition()) throw new Error('it never happened');
      },
      quiet: () => sim.clock.runUntilIdle(),
      dispose: async () => {},
    };
  });
}
