import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Endpoint, TlsFiles, TlsSession, Wire } from '../network.js';
import { tlsSessionOf } from '../node/certificate.js';
import { NodeClock } from '../node/clock.js';
import { NodeDisk } from '../node/disk.js';
import { NodeNetwork } from '../node/network.js';
import { addressOf, NodeTlsWire, NodeWire } from '../node/wire.js';
import type { ChunkCut } from '../sim/fabric.js';
import { createSimPlatform } from '../sim/platform.js';
import { clockContract } from './clock.contract.js';
import { diskContract } from './disk.contract.js';
import { networkContract } from './network.contract.js';

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

clockContract('Node', () => ({ clock: new NodeClock(), pass: sleep }));
clockContract('simulated', () => {
  const { clock } = createSimPlatform(1);
  return { clock, pass: (ms) => clock.advance(ms) };
});

diskContract('Node', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'chapar-disk-'));
  return {
    disk: new NodeDisk(),
    directory,
    wait: (promise) => promise,
    dispose: () => rm(directory, { recursive: true }),
  };
});
for (const delayMs of [0, 5]) {
  diskContract(`simulated, ${delayMs} ms`, async () => {
    const sim = createSimPlatform(1);
    await sim.disk.makeDirectory('/data');
    Object.assign(sim.disk.delayMs, { write: delayMs, sync: delayMs, read: delayMs });
    return { disk: sim.disk, directory: '/data', wait: (promise) => sim.settle(promise), dispose: async () => {} };
  });
}

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
