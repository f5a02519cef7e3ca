import { type JsonValue, metadataKey, metadataKeyParts, type User } from '@chapar/core';

/** Users are kept at `users/<name>`. */
export const usersPrefix = 'users/';

export function userKey(name: string): string {
  return metadataKey('users', name);
}

export function userToValue({ passwordHash, hashingAlgorithm, tags, limits }: User): JsonValue {
  return { passwordHash, hashingAlgorithm, tags, limits };
}

/** Reads what `userToValue` wrote. Throws TypeError for anything else: then somebody else writes our keys. */
export function userFromEntry(key: string, value: JsonValue): User {
  const name = metadataKeyParts(key)[1];
  const record = value as Partial<User> | null;
  if (
    name === undefined ||
    typeof record?.passwordHash !== 'string' ||
    typeof record.hashingAlgorithm !== 'string' ||
    !Array.isArray(record.tags)
  ) {
    throw new TypeError(`metadata key ${key} does not hold a user`);
  }
  const { passwordHash, hashingAlgorithm, tags, limits = {} } = record;
  return { name, passwordHash, hashingAlgorithm, tags, limits };
}
