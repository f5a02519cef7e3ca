import { type JsonValue, type MetadataEntry, type MetadataStore, metadataKeyParts } from '@chapar/core';
import { metadataRoom } from './records.js';

/** What a directory that served alone holds besides what every new one has: in words, for a refusal; empty when there is nothing. */
export async function contentOf(embedded: MetadataStore): Promise<string[]> {
  const { entries } = await embedded.load('');
  const counts = new Map<string, number>();
  for (const { key } of entries) {
    const [kind, vhost] = metadataKeyParts(key) as [string, string | undefined];
    if (kind === 'marks' || (kind === 'vhosts' && vhost === '/')) continue;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  // The first administrator and its permissions.
  for (const kind of ['users', 'permissions']) if (counts.get(kind) === 1) counts.delete(kind);
  return [...counts].map(([kind, count]) => `${count} ${kind}`);
}

/** The records of a directory that served alone, as those of a cluster: its queues live on this directory's disk. */
export async function importedRecords(
  embedded: MetadataStore,
  dataId: string,
): Promise<Pick<MetadataEntry, 'key' | 'value'>[]> {
  const { entries } = await embedded.load('');
  const records = entries.map(({ key, value }) => {
    const isQueue = key.startsWith('queues/');
    return {
      key: metadataRoom + key,
      value: isQueue ? { ...(value as { [key: string]: JsonValue }), home: dataId } : value,
    };
  });
  return records.sort((a, b) => rank(a.key) - rank(b.key));
}

/** What others refer to comes first: a cut in the middle leaves nothing that refers to nothing. */
const kinds = ['vhosts', 'users', 'permissions', 'exchanges', 'queues'];

export function rank(key: string): number {
  const kind = key.slice(metadataRoom.length, key.indexOf('/', metadataRoom.length));
  const index = kinds.indexOf(kind);
  return index === -1 ? kinds.length : index;
}
