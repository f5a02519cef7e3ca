import type { JsonValue, User, UserDirectory } from '@chapar/core';
import { badRequest, notValid, type Problem } from './problem.js';

/** Which limits something can have, and how the field words what is wrong with one. */
export interface LimitNames {
  readonly names: readonly string[];
  readonly where: string;
  readonly refused: (fault: string) => Problem;
}

export const vhostLimits: LimitNames = {
  names: ['max-connections', 'max-queues'],
  where: 'limits',
  refused: notValid,
};
export const userLimits: LimitNames = {
  names: ['max-connections', 'max-channels'],
  where: 'user-limits',
  refused: badRequest,
};

/** The value of a limit that there is; a negative one is none. 400 for others. */
export function readLimit({ names, where, refused }: LimitNames, name: string, value: JsonValue): number {
  if (!names.includes(name)) {
    const known = `known are ${names.join(' and ')}`;
    throw refused(`Unrecognised terms ${JSON.stringify({ [name]: value })} in ${where}; ${known}`);
  }
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw refused(`${name} should be a number, actually was ${JSON.stringify(value)}`);
}

/** Stores a user again with other limits. */
export async function putLimits(users: UserDirectory, user: User, limits: User['limits']): Promise<void> {
  const { name, tags, passwordHash, hashingAlgorithm } = user;
  await users.put({ name, tags, passwordHash, hashingAlgorithm, limits });
}
