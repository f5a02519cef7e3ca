import type { MetadataEntry, Revision, Write } from '../ports.js';

/** Keys and values at one revision, in order of keys. */
export class MetadataState {
  revision: Revision = 0;
  private readonly entries = new Map<string, MetadataEntry>();
  /** The map's keys in order; null when keys came since it was made. */
  private order: string[] | null = [];

  get size(): number {
    return this.entries.size;
  }

  get(key: string): MetadataEntry | undefined {
    return this.entries.get(key);
  }

  /** Takes one change. */
  apply(revision: Revision, then: readonly Write[]): void {
    this.revision = revision;
    for (const { key, value } of then) {
      if (value === undefined) this.entries.delete(key);
      else this.put({ key, value, revision });
    }
  }

  put(entry: MetadataEntry): void {
    if (!this.entries.has(entry.key)) this.order = null;
    this.entries.set(entry.key, entry);
  }

  /** All entries under a prefix, by key. */
  under(prefix: string): MetadataEntry[] {
    const keys = this.sorted();
    const found: MetadataEntry[] = [];
    for (let i = firstAtLeast(keys, prefix); i < keys.length && keys[i]!.startsWith(prefix); i++) {
      const entry = this.entries.get(keys[i]!);
      // Deleted keys stay in the order until the next key comes.
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  private sorted(): string[] {
    this.order ??= [...this.entries.keys()].sort();
    return this.order;
  }
}

/** Index of the first key that is not below `key`. */
function firstAtLeast(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
