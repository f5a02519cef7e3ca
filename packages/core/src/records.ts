import { type JsonValue, type MetadataStore, metadataKey, metadataKeyParts } from './ports.js';

/** What administrators store by name: kept, listed and exported here; what acts on them reads them. */
export type Collection =
  | 'policies'
  | 'operator-policies'
  | 'parameters'
  | 'global-parameters'
  | 'vhost-limits'
  | 'user-limits';

/** How many names lead to one record: `policies/<vhost>/<name>`, `parameters/<component>/<vhost>/<name>`, ... */
export const collectionDepth: { readonly [C in Collection]: number } = {
  policies: 2,
  'operator-policies': 2,
  parameters: 3,
  'global-parameters': 1,
  'vhost-limits': 2,
  'user-limits': 2,
};

export interface StoredRecord {
  readonly names: readonly string[];
  readonly value: JsonValue;
}

/** Is told of a change of one record; without a value it is gone. */
export type RecordListener = (names: readonly string[], value: JsonValue | undefined) => void;

/** The records in metadata, mirrored in memory. */
export class Records {
  private readonly metadata: MetadataStore;
  private readonly byKey = new Map<string, StoredRecord>();
  private readonly listeners = new Map<Collection, RecordListener>();

  constructor(metadata: MetadataStore) {
    this.metadata = metadata;
  }

  async open(): Promise<void> {
    for (const collection of Object.keys(collectionDepth) as Collection[]) {
      const prefix = `${collection}/`;
      const { revision, entries } = await this.metadata.load(prefix);
      for (const { key, value } of entries) this.keep(key, value);
      this.metadata.watch(prefix, revision, (events) => {
        for (const { key, value } of events) {
          const names = this.keep(key, value);
          this.listeners.get(collection)?.(names, value);
        }
      });
    }
  }

  /** Tells the one who acts on a collection of every later change of it, before whoever made the change goes on. */
  watch(collection: Collection, listener: RecordListener): void {
    this.listeners.set(collection, listener);
  }

  /** All of a collection whose first names are these, by name. */
  list(collection: Collection, ...names: readonly string[]): StoredRecord[] {
    const prefix = `${metadataKey(collection, ...names)}/`;
    const found = [...this.byKey].filter(([key]) => key.startsWith(prefix));
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
  }

  get(collection: Collection, ...names: readonly string[]): JsonValue | undefined {
    return this.byKey.get(metadataKey(collection, ...names))?.value;
  }

  async put(collection: Collection, names: readonly string[], value: JsonValue): Promise<void> {
    await this.metadata.change([], [{ key: metadataKey(collection, ...names), value }]);
  }

  /** False when there was none. */
  async delete(collection: Collection, ...names: readonly string[]): Promise<boolean> {
    const key = metadataKey(collection, ...names);
    if (!this.byKey.has(key)) return false;
    await this.metadata.change([], [{ key, value: undefined }]);
    return true;
  }

  private keep(key: string, value: JsonValue | undefined): readonly string[] {
    const names = metadataKeyParts(key).slice(1);
    if (value === undefined) this.byKey.delete(key);
    else this.byKey.set(key, { names, value });
    return names;
  }
}
