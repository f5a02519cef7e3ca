import { beforeEach, describe, expect, it } from 'vitest';
import type { TlsSession, Wire, WireSink } from '../network.js';
import { createSimPlatform, type SimPlatform, SimWorld } from './platform.js';

class Notes implements WireSink {
  text = '';
  chunks = 0;
  readonly calls: string[] = [];
  readonly wire: Wire;

  constructor(wire: Wire) {
    this.wire = wire;
    wire.open(this);
  }

  received(chunk: Buffer): void {
    this.text += chunk.toString('latin1');
    this.chunks++;
  }

  drained(): void {
    this.calls.push('drained');
  }

  ended(): void {
    this.calls.push('ended');
  }

  closed(error: Error | null): void {
    this.calls.push(`closed ${(error as NodeJS.ErrnoException | null)?.code ?? 'well'}`);
  }
}

let sim: SimPlatform;
let accepted: Notes[];

beforeEach(async () => {
  sim = createSimPlatform(3);
  accepted = [];
  await sim.network.listen({ host: null, port: 5_672, tls: null }, (wire) => accepted.push(new Notes(wire)));
});

async function pair(options: { from?: string } = {}) {
  const wire = sim.network.connect({ port: 5_672, ...options });
  const client = new Notes(wire);
  await sim.clock.runUntilIdle();
  return { wire, client, server: accepted.at(-1)! };
}

describe('what is counted', () => {
  it('counts system calls: one a write, one a writev, and one each time the kernel takes more', async () => {
    const { wire, server } = await pair();
    for (let i = 0; i < 10; i++) wire.writev([Buffer.alloc(10), Buffer.alloc(10)], null);
    wire.write(Buffer.alloc(1), null);
    expect(wire.writes).toBe(11);
    await sim.clock.runUntilIdle();
    expect(server.text.length).toBe(201);
    expect(server.chunks).toBe(1);
  });

  it('holds a bounded number of bytes for a peer that never reads', async () => {
    sim.world.fabric.kernelBytesMax = 1_000;
    const { wire, server, client } = await pair();
    server.wire.pause();
    const told: number[] = [];
    for (let i = 0; i < 10; i++) wire.write(Buffer.alloc(300), () => told.push(i));
    await sim.clock.advance(60_000);
    expect([wire.unsentBytes, wire.sentBytes, told]).toEqual([2_000, 1_000, [0, 1, 2]]);
    server.wire.resume();
    await sim.clock.runUntilIdle();
    expect([wire.unsentBytes, told.length, server.text.length, client.calls]).toEqual([0, 10, 3_000, ['drained']]);
  });
});

describe('time and cuts', () => {
  it('delays each direction and keeps the order', async () => {
    Object.assign(sim.world.fabric.delayMs, { min: 5, max: 50 });
    const { wire, server } = await pair();
    const start = sim.clock.monotonicMs();
    for (let i = 0; i < 100; i++) wire.write(Buffer.from(String.fromCharCode(i)), null);
    await sim.clock.advance(4);
    expect(server.text).toBe('');
    await sim.clock.runUntilIdle();
    expect(server.text).toBe(String.fromCharCode(...Array.from({ length: 100 }, (_, index) => index)));
    expect(sim.clock.monotonicMs() - start).toBeLessThanOrEqual(50);
  });

  it('cuts chunks anywhere, the same way for the same seed', async () => {
    const run = async (seed: number) => {
      sim = createSimPlatform(seed);
      const sizes: number[] = [];
      await sim.network.listen({ host: null, port: 1, tls: null }, (wire) =>
        wire.open({ received: (chunk) => void sizes.push(chunk.length), drained() {}, ended() {}, closed() {} }),
      );
      sim.world.fabric.chunks = 'cut';
      sim.network.connect({ port: 1 }).write(Buffer.alloc(100_000), null);
      await sim.clock.runUntilIdle();
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(100_000);
      return sizes.join();
    };
    expect(await run(1)).toBe(await run(1));
    expect(await run(1)).not.toBe(await run(2));
  });

  it('feeds byte by byte', async () => {
    sim.world.fabric.chunks = 'single';
    const { wire, server } = await pair();
    wire.write(Buffer.from('hello'), null);
    await sim.clock.runUntilIdle();
    expect([server.text, server.chunks]).toEqual(['hello', 5]);
  });
});

describe('faults', () => {
  it('cuts a wire for both ends', async () => {
    const { wire, client, server } = await pair();
    wire.cut();
    await sim.clock.runUntilIdle();
    expect([client.calls, server.calls]).toEqual([['closed ECONNRESET'], ['closed ECONNRESET']]);
  });

  it('swallows everything in a black hole until it is restored', async () => {
    const { wire, client, server } = await pair();
    wire.blackHole();
    wire.write(Buffer.from('lost in space'), null);
    server.wire.write(Buffer.from('nobody there?'), null);
    wire.end();
    await sim.clock.advance(3_600_000);
    expect([client.text, server.text, server.calls]).toEqual(['', '', []]);
    wire.restore();
    await sim.clock.runUntilIdle();
    expect([client.text, server.text, server.calls]).toEqual(['nobody there?', 'lost in space', ['ended']]);
  });

  it('parts addresses, for wires that are there and those to come, and heals', async () => {
    const far = await pair({ from: '10.9.9.9' });
    const near = await pair();
    sim.world.fabric.partition('10.9.9.9', '127.0.0.1');
    far.wire.write(Buffer.from('far'), null);
    near.wire.write(Buffer.from('near'), null);
    const late = sim.network.connect({ port: 5_672, from: '10.9.9.9' });
    await sim.clock.advance(60_000);
    expect([far.server.text, near.server.text, accepted.length]).toEqual(['', 'near', 2]);
    sim.world.fabric.heal('10.9.9.9', '127.0.0.1');
    await sim.clock.runUntilIdle();
    expect([far.server.text, accepted.length]).toEqual(['far', 3]);
    expect(accepted[2]!.wire.remote).toEqual(late.local);
  });

  it('lets the kernel of a killed process say goodbye, and that of a dead machine not', async () => {
    for (const [end, calls] of [
      ['kill', ['ended']],
      ['crash', []],
    ] as const) {
      const world = new SimWorld(9);
      const [broker, peer] = [world.machine('10.0.0.1'), world.machine('10.0.0.2')];
      const notes: Notes[] = [];
      await broker.network.listen({ host: null, port: 1, tls: null }, (wire) => notes.push(new Notes(wire)));
      const client = new Notes(peer.network.connect({ host: '10.0.0.1', port: 1 }));
      await world.scheduler.runUntilIdle();
      notes[0]!.wire.write(Buffer.from('x'), () => notes[0]!.calls.push('written'));
      broker[end]();
      await world.scheduler.runUntilIdle();
      expect(client.calls).toEqual(calls);
      expect(notes[0]!.calls).toEqual([]);
      const again = new Notes(peer.network.connect({ host: '10.0.0.1', port: 1 }));
      await world.scheduler.runUntilIdle();
      expect(again.calls).toEqual(['closed ECONNREFUSED']);
    }
  });

  it('resets who writes to a wire that was destroyed', async () => {
    const { wire, server } = await pair();
    wire.destroy();
    await sim.clock.runUntilIdle();
    expect(server.calls).toEqual(['ended']);
    server.wire.write(Buffer.from('too late'), null);
    await sim.clock.runUntilIdle();
    expect(server.calls).toEqual(['ended', 'closed ECONNRESET']);
  });
});

describe('listeners', () => {
  it('refuses a port where nobody listens, and an address that is not listened at', async () => {
    const nobody = new Notes(sim.network.connect({ port: 9 }));
    await sim.network.listen({ host: '127.0.0.1', port: 80, tls: null }, () => {});
    const world = sim.world;
    const outside = new Notes(world.machine('10.0.0.2').network.connect({ host: '10.0.0.1', port: 80 }));
    await sim.clock.runUntilIdle();
    expect([nobody.calls, outside.calls]).toEqual([['closed ECONNREFUSED'], ['closed ECONNREFUSED']]);
  });

  it('takes TLS as told, and refuses as a real listener would', async () => {
    const peerCertificate = {
      subject: 'CN=alice',
      issuer: 'CN=ca',
      commonNames: ['alice'],
      alternativeNames: [],
      serialNumber: '01',
      validUntilMs: 0,
    };
    const session: TlsSession = { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', peerCertificate };
    const tls = { certFile: '', keyFile: '', caFile: '', clientCertificate: 'required' as const };
    const refusals: string[] = [];
    const wires: Wire[] = [];
    await sim.network.listen(
      { host: null, port: 5_671, tls },
      (wire) => wires.push(wire),
      (_, error) => refusals.push(error.message),
    );
    sim.network.connect({ port: 5_671 });
    sim.network.connect({ port: 5_671, tls: { ...session, peerCertificate: null } });
    sim.network.connect({ port: 5_671, tls: session });
    await sim.clock.runUntilIdle();
    expect(refusals).toEqual(['not a TLS handshake', 'the client sent no certificate']);
    expect(wires.map((wire) => wire.tls?.peerCertificate?.subject)).toEqual(['CN=alice']);
  });
});

describe('the log', () => {
  it('keeps lines of all packages in order, above its level', () => {
    sim.log.of('store').info({ segment: 3 }, 'segment rolled');
    sim.log.setLevel('warn');
    sim.log.of('core').info({}, 'not kept');
    sim.log.of('core').of('auth').warn({}, 'wrong password');
    expect(sim.log.lines).toEqual([
      { level: 'info', packageName: 'store', fields: { segment: 3 }, message: 'segment rolled' },
      { level: 'warn', packageName: 'auth', fields: {}, message: 'wrong password' },
    ]);
    expect(sim.log.find('rolled', 'info')).toHaveLength(1);
    expect(sim.log.find('rolled', 'warn')).toHaveLength(0);
    expect(sim.log.of('core').isEnabled('info')).toBe(false);
  });
});
