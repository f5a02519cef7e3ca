import { crc32c } from '@chapar/bytes';
import { ForeignFileError, NewerFormatError } from './format-error.js';

/** What a log file is for; the first eight bytes say it. */
export type FileKind = 'wal' | 'metadata' | 'pages' | 'checkpoint';

/** The versions that this code writes, and the newest that it reads; it reads the one before, too. */
const versions: Record<FileKind, number> = { wal: 2, metadata: 1, pages: 2, checkpoint: 2 };
export const FILE_HEADER_BYTES = 36;

const magics: Record<FileKind, Buffer> = {
  wal: Buffer.from('CHPRWAL\n'),
  metadata: Buffer.from('CHPRMET\n'),
  pages: Buffer.from('CHPRPAG\n'),
  checkpoint: Buffer.from('CHPRCKP\n'),
};
const VERSION_AT = 8;
const GENERATION_AT = 12;
const DATA_ID_AT = 16;
const CRC_AT = 32;

/**
 * The header of a log file. It follows from kind, version, generation and data id alone, so that a damaged one can be told from a foreign
 * one. Its checksum seeds every other checksum of the file: bytes of another file never pass for this one's, although a file
 * system may hand out old blocks again after a power cut.
 */
export function encodeFileHeader(
  kind: FileKind,
  generation: number,
  dataId: string,
  version: number = versions[kind],
): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  magics[kind].copy(header, 0);
  header[VERSION_AT] = version;
  header.writeUInt32BE(generation, GENERATION_AT);
  uuidBytes(dataId).copy(header, DATA_ID_AT);
  header.writeUInt32BE(crc32c(header, 0, CRC_AT), CRC_AT);
  return header;
}

/** The seed of all checksums in the file that begins with this header. */
export function fileSalt(header: Buffer): number {
  return header.readUInt32BE(CRC_AT);
}

/** Every header that a file of this kind may begin with, the newest version first. */
export function readableHeaders(kind: FileKind, generation: number, dataId: string): Buffer[] {
  const headers: Buffer[] = [];
  for (let version = versions[kind]; version >= Math.max(versions[kind] - 1, 1); version--) {
    headers.push(encodeFileHeader(kind, generation, dataId, version));
  }
  return headers;
}

export function fileGeneration(header: Buffer): number {
  return header.readUInt32BE(GENERATION_AT);
}

/**
 * Compares what a file begins with to what it should begin with. False: cut short or damaged. Throws NewerFormatError for a version
 * that this code does not know, ForeignFileError for a healthy header of another data directory or another generation.
 */
export function checkFileHeader(found: Buffer, expected: Buffer, path: string): boolean {
  if (found.length < FILE_HEADER_BYTES) return false;
  const head = found.subarray(0, FILE_HEADER_BYTES);
  if (head.equals(expected)) return true;
  if (!head.subarray(0, VERSION_AT).equals(expected.subarray(0, VERSION_AT))) return false;
  const known = expected[VERSION_AT]!;
  if (head[VERSION_AT]! > known) throw new NewerFormatError(path, head[VERSION_AT]!, known);
  if (crc32c(head, 0, CRC_AT) === head.readUInt32BE(CRC_AT)) throw new ForeignFileError(path);
  return false;
}

function uuidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  if (bytes.length !== 16) throw new RangeError(`data id ${uuid} is not a UUID`);
  return bytes;
}
