import type { User, UserDirectory } from '@chapar/core';
import { badRequest } from './problem.js';

export const userLimits = ['max-connections', 'max-channels'];
export const vhostLimits = ['max-connections', 'max-queues'];

/** 400 unless the limit is one of these. */
export function assertLimit(known: readonly string[], name: string): void {
  if (known.includes(name)) return;
  throw badRequest(`Unrecognised limit '${name}': it must be one of ${known.join(', ')}`);
}

/** Stores a user again with other limits. */
export async function putLimits(users: UserDirectory, user: User, limits: User['limits']): Promise<void> {
  const { name, tags, passwordHash, hashingAlgorithm } = user;
  await users.put({ name, tags, passwordHash, hashingAlgorithm, limits });
}
