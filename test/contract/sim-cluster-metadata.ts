import { EtcdMetadata, Mirror, Registration, SimEtcd, type SimEtcdClient, Writer } from '@chapar/cluster';
import type { MetadataStore } from '@chapar/core';
import { createSimPlatform, type SimPlatform } from '@chapar/platform';
import type { MetadataSubject } from './metadata.contract.js';

export const prefix = '/chapar/';

/** A node's metadata in a simulated etcd, which outlives the node. */
export class SimClusterMetadata implements MetadataSubject {
  readonly platform: SimPlatform;
  readonly etcd: SimEtcd;
  client!: SimEtcdClient;
  metadata!: MetadataStore;
  registration!: Registration;
  mirror!: Mirror;

  constructor(seed = 1) {
    this.platform = createSimPlatform(seed);
    this.etcd = new SimEtcd(this.platform.clock.scheduler);
  }

  async start() {
    const { clock, random, log } = this.platform;
    this.client = this.etcd.connect(clock, random);
    this.mirror = new Mirror(this.client, { clock, log }, prefix);
    await this.settle(this.mirror.open());
    const writer = new Writer(this.client, { clock, log }, prefix, this.mirror);
    const record = { dataId: 'one', boot: random.uuid(), address: '127.0.0.1:25672', versions: {} };
    const options = {
      etcd: this.client,
      mirror: this.mirror,
      clock,
      log,
      prefix,
      node: 'chapar@a',
      record,
      leaseSeconds: 10,
    };
    this.registration = new Registration(options);
    const began = new Promise<void>((resolve) => {
      this.registration.onBegan = (session) => {
        writer.use(session);
        resolve();
      };
    });
    this.registration.onEnded = () => writer.use(null);
    this.registration.start();
    await this.settle(began);
    this.metadata = new EtcdMetadata(this.mirror, writer);
    return { metadata: this.metadata };
  }

  async stop(): Promise<void> {
    await this.settle(this.registration.close());
    await this.settle(this.metadata.close());
    this.client.close();
  }

  kill(): void {
    this.client.close();
    this.platform.kill();
  }

  crash(): void {
    this.client.close();
    this.platform.crash();
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.platform.settle(promise);
  }
}
