import { createSimPlatform, type SimPlatform } from '@chapar/platform';
import { openStore, type Store, type StoreOptions } from '@chapar/store';
import type { MetadataSubject } from './metadata.contract.js';
import type { LogStoreSubject } from './queue-log.contract.js';
import { readRecovered } from './recovered.js';

/** The embedded store on a simulated machine. */
export class SimStore implements LogStoreSubject, MetadataSubject {
  readonly platform: SimPlatform;
  store!: Store;
  private readonly settings: Pick<StoreOptions, 'wal' | 'metadata'>;

  constructor(seed = 1, settings: Pick<StoreOptions, 'wal' | 'metadata'> = {}) {
    this.platform = createSimPlatform(seed);
    this.settings = settings;
  }

  async start() {
    this.store = await this.settle(openStore({ platform: this.platform, dataDir: '/data', ...this.settings }));
    const { logs, metadata } = this.store;
    const recovered = await this.settle(logs.recover().then((queues) => readRecovered(logs, queues)));
    return { logs, metadata, recovered };
  }

  stop(): Promise<void> {
    return this.settle(this.store.close());
  }

  kill(): void {
    this.platform.kill();
  }

  crash(): void {
    this.platform.crash();
  }

  /** What was written to a file, without the zeroes by which it runs ahead. */
  async written(path: string): Promise<Buffer> {
    const content = await this.platform.disk.readFile(path);
    let end = content.length;
    while (end > 0 && content[end - 1] === 0) end--;
    return content.subarray(0, end);
  }

  idle(): Promise<void> {
    return this.platform.clock.runUntilIdle();
  }

  advance(ms: number): Promise<void> {
    return this.platform.clock.advance(ms);
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.platform.settle(promise);
  }
}
