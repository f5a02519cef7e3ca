import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { EtcdError } from './etcd/etcd.js';
import { SimEtcd } from './etcd/sim-etcd.js';
import { Mirror } from './mirror.js';
import { Registration } from './session.js';

const prefix = '/chapar/';

/** Nodes that register in one simulated etcd. */
class World {
  readonly platform = createSimPlatform(11);
  readonly etcd = new SimEtcd(this.platform.clock.scheduler);

  /** One life of a node; with its data directory's id, which is its name where nothing else is said. */
  async node(name: string, dataId = name) {
    const { clock, random, log } = this.platform;
    const client = this.etcd.connect(clock, random);
    const mirror = new Mirror(client, { clock, log }, prefix);
    await this.platform.settle(mirror.open());
    const record = { dataId, boot: random.uuid(), address: `${name}:1`, versions: {} };
    const options = { etcd: client, mirror, clock, log, prefix, node: name, record, leaseSeconds: 10 };
    const registration = new Registration(options);
    const events: string[] = [];
    registration.onBegan = () => events.push('began');
    registration.onEnded = (_session, why) => events.push(`ended: ${why}`);
    registration.onUnsure = () => events.push('unsure');
    registration.onSure = () => events.push('sure');
    registration.onWaiting = ({ address }) => events.push(`waits for ${address}`);
    registration.start();
    await this.advance(100);
    return { client, mirror, registration, events };
  }

  /** What another node sees under a name. */
  async watch(name: string) {
    const watcher = await this.node(`watcher of ${name}`);
    const seen: string[] = [];
    watcher.mirror.watch(`nodes/${name}`, watcher.mirror.revision, (events) => {
      for (const { value } of events) seen.push(value === undefined ? 'gone' : 'put');
    });
    return { seen, mirror: watcher.mirror };
  }

  advance(ms: number): Promise<void> {
    return this.platform.clock.advance(ms);
  }
}

const sessionOf = (node: { readonly registration: Registration }) => node.registration.session!.revision;

describe('the registration of a node', () => {
  it('is unsure here before it is over there, and over when etcd says so', async () => {
    const world = new World();
    const [a, b] = [await world.node('a'), await world.node('b')];
    a.client.path.cut = true;
    while (a.registration.isSure) {
      await world.advance(100);
      expect(b.mirror.get('nodes/a')).toBeDefined();
    }
    expect(b.mirror.get('nodes/a')).toBeDefined();
    await world.advance(2000);
    expect(b.mirror.get('nodes/a')).toBeUndefined();
    expect(a.events).toEqual(['began', 'unsure']);
    a.client.path.cut = false;
    await world.advance(3000);
    expect(a.events).toEqual(['began', 'unsure', expect.stringMatching(/^ended: /), 'began']);
    expect(a.registration.isSure).toBe(true);
  });

  it('is sure again, in the same session, when etcd was away for however long', async () => {
    const world = new World();
    const a = await world.node('a');
    const session = sessionOf(a);
    world.etcd.stop();
    await world.advance(300_000);
    expect(a.registration.isSure).toBe(false);
    expect(sessionOf(a)).toBe(session);
    world.etcd.resume();
    await world.advance(3000);
    expect(a.events).toEqual(['began', 'unsure', 'sure']);
    expect(sessionOf(a)).toBe(session);
  });

  it('is taken over at once by the same data directory, in a new session, and nobody sees the name free', async () => {
    const world = new World();
    const first = await world.node('a', 'data');
    const session = sessionOf(first);
    const { seen } = await world.watch('a');
    first.client.close();
    const second = await world.node('a', 'data');
    expect(sessionOf(second)).toBeGreaterThan(session);
    // The lease of the first life was given back, and takes nothing with it.
    await world.advance(30_000);
    expect(seen).toEqual(['put']);
  });

  it('ends the session that was replaced, which does not take the name back', async () => {
    const world = new World();
    const first = await world.node('a', 'data');
    // Another machine runs on a copy of the directory.
    const copy = await world.node('a', 'data');
    await world.advance(10_000);
    expect(first.registration.session).toBeNull();
    expect(first.events).toEqual(['began', 'ended: somebody else is registered under its name', 'waits for a:1']);
    expect(copy.events).toEqual(['began']);
    expect(world.platform.log.find('a copy of the data directory', 'warn')).toHaveLength(1);
  });

  it('is waited for by another data directory', async () => {
    const world = new World();
    const first = await world.node('a', 'one');
    const second = await world.node('a', 'two');
    await world.advance(20_000);
    expect(second.registration.session).toBeNull();
    expect(second.registration.waitingFor?.dataId).toBe('one');
    expect(second.events).toEqual(['waits for a:1']);
    await world.platform.settle(first.registration.close());
    await world.advance(1000);
    expect(second.events).toEqual(['waits for a:1', 'began']);
    expect(second.registration.waitingFor).toBeNull();
  });

  it('begins anew when somebody deletes its key', async () => {
    const world = new World();
    const a = await world.node('a');
    const session = sessionOf(a);
    world.etcd.txn({ compare: [], success: [{ kind: 'delete', key: '/chapar/nodes/a' }], failure: [] });
    await world.advance(2000);
    expect(a.events).toEqual(['began', 'ended: its key in etcd is gone', 'began']);
    expect(sessionOf(a)).toBeGreaterThan(session);
  });

  it('begins once although answers are lost', async () => {
    for (let round = 0; round < 10; round++) {
      const world = new World();
      const { client, registration, mirror } = await world.node('a');
      client.path.cut = true;
      await world.advance(12_000);
      client.path.cut = false;
      client.path.answerLoss = 0.4;
      const old = sessionOf({ registration });
      for (let second = 0; second < 300 && registration.session?.revision === old; second++) await world.advance(1000);
      for (let second = 0; second < 300 && registration.session === null; second++) await world.advance(1000);
      expect(registration.session).not.toBeNull();
      client.path.answerLoss = 0;
      await world.advance(20_000);
      const { session } = registration;
      expect(mirror.get('nodes/a')).toMatchObject({ revision: session!.revision, value: { lease: session!.lease } });
    }
  });

  it('is not tried again when it is not admitted', async () => {
    const world = new World();
    const { clock, random, log } = world.platform;
    const client = world.etcd.connect(clock, random);
    const mirror = new Mirror(client, { clock, log }, prefix);
    await world.platform.settle(mirror.open());
    const record = { dataId: 'a', boot: 'a', address: 'a:1', versions: {} };
    let asked = 0;
    const admission = async () => {
      asked++;
      throw new Error('not you');
    };
    const options = { etcd: client, mirror, clock, log, prefix, node: 'a', record, leaseSeconds: 10, admission };
    const registration = new Registration(options);
    const refused: string[] = [];
    registration.onRefused = ({ message }) => refused.push(message);
    registration.start();
    await world.advance(10_000);
    expect([asked, refused]).toEqual([1, ['not you']]);
    expect(mirror.get('nodes/a')).toBeUndefined();
  });
});

describe('an etcd that is not the one that it was', () => {
  it('ends no session by not knowing its lease; the one that it was does', async () => {
    const world = new World();
    const { clock, random, log } = world.platform;
    const client = world.etcd.connect(clock, random);
    const mirror = new Mirror(client, { clock, log }, prefix);
    await world.platform.settle(mirror.open());
    const record = { dataId: 'a', boot: 'a', address: 'a:1', versions: {} };
    let isForeign = false;
    const admission = async () => {
      if (isForeign) throw new EtcdError('unknown', 'etcd is not the one that it was');
      return [];
    };
    const options = { etcd: client, mirror, clock, log, prefix, node: 'a', record, leaseSeconds: 10, admission };
    const registration = new Registration(options);
    const events: string[] = [];
    registration.onBegan = () => events.push('began');
    registration.onUnsure = () => events.push('unsure');
    registration.onEnded = (_session, why) => events.push(`ended: ${why}`);
    registration.start();
    await world.advance(100);
    const keepLease = client.keepLease.bind(client);
    isForeign = true;
    client.keepLease = async (lease) => {
      await keepLease(lease);
      return 0;
    };
    await world.advance(30_000);
    expect(events).toEqual(['began', 'unsure']);
    isForeign = false;
    await world.advance(1000);
    client.keepLease = keepLease;
    await world.advance(15_000);
    expect(events).toEqual(['began', 'unsure', 'ended: etcd has ended its lease', 'began']);
  });
});

describe('the copy of etcd', () => {
  const put = (world: World, key: string, value: unknown) =>
    world.etcd.txn({
      compare: [],
      success: [{ kind: 'put', key: prefix + key, value: JSON.stringify(value), lease: null }],
      failure: [],
    });

  it('does not obey when its cluster is deleted, and goes on when it is there again', async () => {
    const world = new World();
    put(world, 'cluster', { id: 'one' });
    put(world, 'meta/k', 1);
    const a = await world.node('a');
    a.mirror.identityKey = 'cluster';
    const said: (string | null)[] = [];
    a.mirror.onStranger = (why) => said.push(why);
    const gone = ['cluster', 'meta/k'].map((key) => ({ kind: 'delete', key: prefix + key }) as const);
    world.etcd.txn({ compare: [], success: gone, failure: [] });
    await world.advance(20_000);
    expect(a.mirror.get('meta/k')?.value).toBe(1);
    expect(said).toEqual([expect.stringContaining('does not know this cluster any more')]);
    put(world, 'cluster', { id: 'two' });
    await world.advance(20_000);
    expect(said).toHaveLength(2);
    expect(said[1]).toContain('holds another cluster now');
    put(world, 'cluster', { id: 'one', more: 1 });
    put(world, 'meta/k', 2);
    await world.advance(20_000);
    expect(said[2]).toBeNull();
    expect(a.mirror.get('meta/k')?.value).toBe(2);
  });
});
