import { dirname, join } from 'node:path';
import type { LogStore, MetadataStore } from '@chapar/core';
import type { DirectoryLock, Disk, Platform } from '@chapar/platform';
import { openIdentity } from './identity.js';
import { EmbeddedMetadata, type MetadataSettings } from './metadata.js';
import { Wal, type WalGauges, type WalSettings } from './wal.js';

export interface StoreOptions {
  readonly platform: Pick<Platform, 'clock' | 'disk' | 'log' | 'random'>;
  /** Absolute path; created when absent. */
  readonly dataDir: string;
  readonly wal?: Partial<WalSettings>;
  readonly metadata?: Partial<MetadataSettings>;
}

/** A node's embedded store. */
export interface Store {
  readonly metadata: MetadataStore;
  /** `recover` has not been called yet. */
  readonly logs: LogStore & WalGauges;
  /** Of the data directory, a UUID. */
  readonly dataId: string;
  /** Syncs and closes both and gives the directory back. */
  close(): Promise<void>;
}

/**
 * Opens a data directory, which belongs to this process until `close`. Throws DirectoryLockedError, NewerFormatError,
 * ForeignFileError, DamagedFileError and the disk's errors.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { dataDir, platform } = options;
  const { disk, random, clock } = platform;
  const log = platform.log.of('store');
  await makeDurableDirectory(disk, dataDir);
  const lock = await disk.lock(dataDir);
  try {
    const { dataId } = await openIdentity(disk, random, dataDir);
    const walDirectory = join(dataDir, 'wal');
    const metadataDirectory = join(dataDir, 'metadata');
    await makeDurableDirectory(disk, walDirectory);
    await makeDurableDirectory(disk, metadataDirectory);
    const pagesDirectory = join(dataDir, 'pages');
    await disk.makeDirectory(pagesDirectory);
    const metadata = await EmbeddedMetadata.open({
      ...options.metadata,
      disk,
      log,
      dataId,
      directory: metadataDirectory,
    });
    const place = { disk, clock, log, dataId };
    const logs = new Wal({ ...place, directory: walDirectory }, { ...place, directory: pagesDirectory }, options.wal);
    return { metadata, logs, dataId, close: () => closeAll([logs, metadata], lock) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Closes each, also after one has failed; the first error is thrown when the directory is free. */
async function closeAll(parts: readonly { close(): Promise<void> }[], lock: DirectoryLock): Promise<void> {
  const errors: unknown[] = [];
  for (const part of parts) await part.close().catch((error: unknown) => errors.push(error));
  await lock.release();
  if (errors.length > 0) throw errors[0];
}

async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  await disk.makeDirectory(directory);
  await disk.syncDirectory(dirname(directory));
}
