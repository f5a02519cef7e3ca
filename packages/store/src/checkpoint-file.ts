import { join } from 'node:path';
import type { Disk } from '@chapar/platform';
import { type CheckpointHead, CheckpointReader, readParts } from './checkpoint-form.js';
import { checkFileHeader, FILE_HEADER_BYTES, fileGeneration, readableHeaders } from './file-header.js';
import { readIfPresent } from './identity.js';

export const checkpointName = 'checkpoint';

/** A checkpoint as found on the disk. */
export interface FoundCheckpoint {
  readonly path: string;
  /** Of the file. */
  readonly bytes: number;
  /** Null: it is damaged, and of no use. */
  readonly content: { readonly head: CheckpointHead; readonly queues: CheckpointReader } | null;
}

/** The checkpoint in the log's directory; null when there is none. Throws NewerFormatError, ForeignFileError and the disk's errors. */
export async function readCheckpoint(disk: Disk, directory: string, dataId: string): Promise<FoundCheckpoint | null> {
  const path = join(directory, checkpointName);
  const file = await readIfPresent(disk, path);
  if (file === null) return null;
  return { path, bytes: file.length, content: contentOf(file, path, dataId) };
}

function contentOf(file: Buffer, path: string, dataId: string): FoundCheckpoint['content'] {
  if (file.length < FILE_HEADER_BYTES) return null;
  const headers = readableHeaders('checkpoint', fileGeneration(file), dataId);
  const header = headers.find((readable) => readable.equals(file.subarray(0, FILE_HEADER_BYTES))) ?? headers[0]!;
  if (!checkFileHeader(file, header, path)) return null;
  const parts = readParts(file);
  if (parts === null) return null;
  const queues = new CheckpointReader(parts);
  return { head: queues.head(), queues };
}
