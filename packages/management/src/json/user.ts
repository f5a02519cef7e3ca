import type { User } from '@chapar/core';
import type { Row } from './counters.js';

export function userJson({ name, passwordHash, hashingAlgorithm, tags, limits }: User): Row {
  return { name, password_hash: passwordHash, hashing_algorithm: hashingAlgorithm, tags, limits };
}
