import { GuardFailedError, type MetadataStore, metadataKey } from '@chapar/core';
import type { Random } from '@chapar/platform';
import { createUser } from './internal.js';
import { userKey, usersPrefix, userToValue } from './user-record.js';

/** Says that the first administrator was made once; who deletes `guest` later must not find it back after a restart. */
const markKey = metadataKey('marks', 'default-user');

export interface DefaultUser {
  readonly name: string;
  /** Asked for only when it is needed; what it throws is passed on. */
  readonly readPassword: () => Promise<string>;
}

/**
 * Gives a fresh store its administrator, with all permissions in the virtual host `/`, in one guarded change (of several nodes one
 * makes it). Returns whether it did.
 */
export async function ensureDefaultUser(
  metadata: MetadataStore,
  random: Random,
  wanted: DefaultUser,
): Promise<boolean> {
  const mark = await metadata.load(markKey);
  if (mark.entries.length > 0) return false;
  const users = await metadata.load(usersPrefix);
  if (users.entries.length > 0) return false;
  const password = await wanted.readPassword();
  const user = await createUser({ name: wanted.name, tags: ['administrator'], password }, random);
  try {
    await metadata.change(
      [{ key: markKey, revision: 'absent' }],
      [
        { key: markKey, value: { user: wanted.name } },
        { key: userKey(wanted.name), value: userToValue(user) },
        { key: metadataKey('permissions', '/', wanted.name), value: { configure: '.*', write: '.*', read: '.*' } },
      ],
    );
    return true;
  } catch (error) {
    if (error instanceof GuardFailedError) return false;
    throw error;
  }
}
