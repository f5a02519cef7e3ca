import { createHash, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import type { Random } from '@chapar/platform';

/** Our own: scrypt (RFC 7914), its parameters inside the hash. */
export const scryptAlgorithm = 'chapar_password_hashing_scrypt';
/** The field's default, and what a hash given without an algorithm is taken for. */
export const fieldAlgorithm = 'rabbit_password_hashing_sha256';

/** The field's: base64 of a 4-byte salt and the digest of salt and password. */
const digests: ReadonlyMap<string, { readonly digest: string; readonly bytes: number }> = new Map([
  [fieldAlgorithm, { digest: 'sha256', bytes: 32 }],
  ['rabbit_password_hashing_sha512', { digest: 'sha512', bytes: 64 }],
  ['rabbit_password_hashing_md5', { digest: 'md5', bytes: 16 }],
]);

/** Every algorithm whose hashes are taken. */
export const algorithms: readonly string[] = [scryptAlgorithm, ...digests.keys()];

const saltBytes = 4;

/**
 * A scrypt hash, base64 of
 * ```
 * 0      1   2   3   4            20
 * +------+---+---+---+------------+-----------+
 * |log2 N| r | p | 0 | salt (16)  | key (32)  |
 * +------+---+---+---+------------+-----------+
 * ```
 */
const scryptHeaderBytes = 4;
const scryptSaltBytes = 16;
const scryptKeyBytes = 32;
const scryptHashBytes = scryptHeaderBytes + scryptSaltBytes + scryptKeyBytes;

/** What new hashes cost: about 16 MiB and 50 ms. */
const cost = { logN: 14, r: 8, p: 1 };
/** An imported hash must not be able to name a price that stalls the broker: 128 * N * r bytes. */
const scryptMemoryBytesMax = 64 * 1024 * 1024;

/** Hashes a password with a fresh salt. Throws RangeError for an unknown algorithm. */
export async function hashPassword(password: string, random: Random, algorithm = scryptAlgorithm): Promise<string> {
  const known = digests.get(algorithm);
  if (known !== undefined) return saltedDigest(known.digest, random.bytes(saltBytes), password).toString('base64');
  if (algorithm !== scryptAlgorithm) throw unknownAlgorithm(algorithm);
  const header = Buffer.from([cost.logN, cost.r, cost.p, 0]);
  const salt = random.bytes(scryptSaltBytes);
  const key = await deriveKey(password, salt, cost);
  return Buffer.concat([header, salt, key]).toString('base64');
}

/** Whether the password is the one of the hash, compared in constant time. Throws RangeError as `checkHash`. */
export async function verifyPassword(password: string, algorithm: string, hash: string): Promise<boolean> {
  const stored = checkHash(algorithm, hash);
  const known = digests.get(algorithm);
  if (known !== undefined) {
    return timingSafeEqual(stored, saltedDigest(known.digest, stored.subarray(0, saltBytes), password));
  }
  const salt = stored.subarray(scryptHeaderBytes, scryptHeaderBytes + scryptSaltBytes);
  const key = await deriveKey(password, salt, scryptCostOf(stored));
  return timingSafeEqual(stored.subarray(scryptHeaderBytes + scryptSaltBytes), key);
}

/** The hash's bytes. Throws RangeError for an unknown algorithm, for anything but canonical base64, a wrong length or absurd parameters. */
export function checkHash(algorithm: string, hash: string): Buffer {
  const known = digests.get(algorithm);
  if (known === undefined && algorithm !== scryptAlgorithm) throw unknownAlgorithm(algorithm);
  const bytes = Buffer.from(hash, 'base64');
  if (bytes.toString('base64') !== hash) throw new RangeError('the password hash is not base64');
  const wanted = known === undefined ? scryptHashBytes : saltBytes + known.bytes;
  if (bytes.length !== wanted) {
    throw new RangeError(`a hash of ${algorithm} has ${wanted} bytes, this one ${bytes.length}`);
  }
  if (known === undefined) checkScryptCost(bytes);
  return bytes;
}

/** The field's salted sha256. `salt`: 4 bytes. */
export function fieldHash(password: string, salt: Buffer): string {
  return saltedDigest('sha256', salt, password).toString('base64');
}

// ---------------------------------------------------------------------------------------------------------------

function unknownAlgorithm(algorithm: string): RangeError {
  return new RangeError(`'${algorithm}' is not a password hashing algorithm; known are ${algorithms.join(', ')}`);
}

function saltedDigest(digest: string, salt: Buffer, password: string): Buffer {
  return Buffer.concat([salt, createHash(digest).update(salt).update(password, 'utf8').digest()]);
}

interface ScryptCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

function scryptCostOf(hash: Buffer): ScryptCost {
  return { logN: hash[0]!, r: hash[1]!, p: hash[2]! };
}

function checkScryptCost(hash: Buffer): void {
  const { logN, r, p } = scryptCostOf(hash);
  const affordable = logN >= 1 && logN <= 20 && r >= 1 && p >= 1 && p <= 4;
  if (!affordable || hash[3] !== 0 || 128 * 2 ** logN * r > scryptMemoryBytesMax) {
    throw new RangeError(`scrypt with N=2^${logN}, r=${r}, p=${p} is not taken`);
  }
}

/** On the thread pool: a login must not hold up the messages of others. */
function deriveKey(password: string, salt: Buffer, { logN, r, p }: ScryptCost): Promise<Buffer> {
  const options: ScryptOptions = { N: 2 ** logN, r, p, maxmem: 2 * scryptMemoryBytesMax };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, scryptKeyBytes, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
