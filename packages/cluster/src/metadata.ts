import {
  type Guard,
  GuardFailedError,
  type MetadataEntry,
  type MetadataEvent,
  type MetadataStore,
  type Revision,
  type Write,
} from '@chapar/core';
import type { Mirror } from './mirror.js';
import type { Writer } from './writer.js';

/** Where metadata stands under the cluster's prefix. */
const room = 'meta/';
/** Claims of names are no metadata, they live and end with their node; but who takes a name for good asks that none holds it. */
const claims = 'claims/';

/** The cluster's metadata: read from this node's copy of etcd, written to etcd, and told when the copy has it. */
export class EtcdMetadata implements MetadataStore {
  private readonly mirror: Mirror;
  private readonly writer: Writer;

  constructor(mirror: Mirror, writer: Writer) {
    this.mirror = mirror;
    this.writer = writer;
  }

  async load(prefix: string): Promise<{ revision: Revision; entries: MetadataEntry[] }> {
    const entries = this.mirror.under(room + prefix).map((entry) => ({ ...entry, key: entry.key.slice(room.length) }));
    return { revision: this.mirror.revision, entries };
  }

  watch(prefix: string, from: Revision, listener: (events: readonly MetadataEvent[]) => void): () => void {
    return this.mirror.watch(room + prefix, from, (events) => {
      listener(events.map((event) => ({ ...event, key: event.key.slice(room.length) })));
    });
  }

  async change(when: readonly Guard[], then: readonly Write[]): Promise<Revision> {
    try {
      return await this.writer.change(
        when.map((guard) => ({ ...guard, key: guard.key.startsWith(claims) ? guard.key : room + guard.key })),
        then.map((write) => ({ ...write, key: room + write.key })),
      );
    } catch (error) {
      if (error instanceof GuardFailedError)
        throw new GuardFailedError(error.key.startsWith(room) ? error.key.slice(room.length) : error.key);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.writer.close();
    this.mirror.close();
  }
}
