import type { Incarnation } from '@chapar/core';
import type { Disk, Log } from '@chapar/platform';
import { readMetadataCopy } from './metadata-copy.js';
import { metadataRoom } from './records.js';

/**
 * The queues and exchanges that a data directory has known by its copy of the metadata: messages of one that metadata does not have any
 * more are void, those of one that it never heard of are set aside. Read before the membership opens, which writes the copy anew.
 */
export async function knownIncarnations(disk: Disk, directory: string, log: Log): Promise<Set<Incarnation>> {
  const known = new Set<Incarnation>();
  try {
    const copy = await readMetadataCopy(disk, directory);
    for (const { key, value } of copy?.entries ?? []) {
      const isThing = key.startsWith(`${metadataRoom}queues/`) || key.startsWith(`${metadataRoom}exchanges/`);
      const { incarnation } = value as { readonly incarnation?: unknown };
      if (isThing && typeof incarnation === 'string') known.add(incarnation);
    }
  } catch (error) {
    log.warn(
      { error },
      'the copy of the cluster metadata cannot be read; no messages are dropped as those of deleted queues',
    );
  }
  return known;
}
