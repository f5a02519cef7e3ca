import { GuardFailedError, type MetadataEntry, metadataKey, metadataKeyParts } from '@chapar/core';
import type { Mirror } from '../mirror.js';
import type { Writer } from '../writer.js';
import { chunkKeysMax } from './bulk.js';
import { metadataRoom } from './records.js';

interface Ends {
  readonly sourceIncarnation: string;
  readonly destinationIncarnation: string;
}

/** Bindings that name an end which is gone, or was declared anew since: nobody heeds them. */
export function staleBindings(mirror: Mirror): MetadataEntry[] {
  return mirror.under(`${metadataRoom}bindings/`).filter(({ key, value }) => {
    const [, vhost, source, kind, destination] = metadataKeyParts(key.slice(metadataRoom.length)) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const { sourceIncarnation, destinationIncarnation } = value as unknown as Ends;
    const destinations = kind === 'queue' ? 'queues' : 'exchanges';
    return (
      !isThere(mirror, vhost, 'exchanges', source, sourceIncarnation) ||
      !isThere(mirror, vhost, destinations, destination, destinationIncarnation)
    );
  });
}

/** An incarnation that is gone never comes back, and one that is named by a binding was there before it. */
function isThere(mirror: Mirror, vhost: string, kind: string, name: string, incarnation: string): boolean {
  const record = mirror.get(metadataRoom + metadataKey(kind, vhost, name))?.value as
    | { incarnation?: unknown }
    | undefined;
  if (record !== undefined) return record.incarnation === incarnation;
  // The exchanges that every virtual host has stand in no record, and their incarnation is their name.
  return (
    kind === 'exchanges' &&
    name === incarnation &&
    mirror.get(metadataRoom + metadataKey('vhosts', vhost)) !== undefined
  );
}

/** Deletes them, each as it was when it was found stale. Returns how many. Rejects with EtcdError. */
export async function sweepBindings(mirror: Mirror, writer: Writer): Promise<number> {
  const stale = staleBindings(mirror);
  let swept = 0;
  for (let from = 0; from < stale.length; from += chunkKeysMax) {
    swept += await sweepChunk(writer, stale.slice(from, from + chunkKeysMax));
  }
  return swept;
}

async function sweepChunk(writer: Writer, chunk: readonly MetadataEntry[]): Promise<number> {
  try {
    await writer.change(
      chunk.map(({ key, revision }) => ({ key, revision })),
      chunk.map(({ key }) => ({ key, value: undefined })),
    );
    return chunk.length;
  } catch (error) {
    if (!(error instanceof GuardFailedError)) throw error;
    // Somebody bound anew meanwhile: the others still go.
    const others = chunk.filter(({ key }) => key !== error.key);
    return others.length < chunk.length ? sweepChunk(writer, others) : 0;
  }
}
