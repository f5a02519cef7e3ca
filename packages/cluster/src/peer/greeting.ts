import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Revision } from '@chapar/core';

/** What this version of us speaks between nodes, the oldest and the newest: a link speaks the newest that both know. */
export const linkVersions = { oldest: 1, newest: 1 } as const;

/** What a node says of itself at the start of every lane. */
export interface Greeting {
  /** Of the cluster: a lane between two clusters is a mistake. */
  readonly cluster: string;
  readonly node: string;
  /** The session in which it speaks; it dies with it. */
  readonly session: Revision;
  readonly oldest: number;
  readonly newest: number;
  /** Random, in hexadecimal: what the other side proves that it knows the secret by. */
  readonly nonce: string;
}

/** The answer to a greeting: the same about itself, and the proof. */
export interface GreetingAnswer extends Greeting {
  readonly proof: string;
}

export class GreetingError extends Error {}

/**
 * The proof that a node knows the cluster's secret, over both greetings and the role, so that a proof is good for nothing but its lane.
 * HMAC-SHA-256, hexadecimal.
 */
export function proofOf(secret: string, role: 'opener' | 'acceptor', opener: Greeting, acceptor: Greeting): string {
  const said = [opener, acceptor].map(({ cluster, node, session, oldest, newest, nonce }) => {
    return [cluster, node, session, oldest, newest, nonce];
  });
  return createHmac('sha256', secret)
    .update(JSON.stringify([role, said]))
    .digest('hex');
}

export function isProof(claimed: unknown, expected: string): boolean {
  const given = Buffer.from(typeof claimed === 'string' ? claimed : '', 'hex');
  const wanted = Buffer.from(expected, 'hex');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Checks what the other side said, and returns the version that both speak. Throws GreetingError. */
export function agree(ours: Greeting, theirs: Greeting): number {
  if (theirs.cluster !== ours.cluster) throw new GreetingError(`${theirs.node} belongs to another cluster`);
  if (theirs.node === ours.node) throw new GreetingError(`the peer has our own name, ${ours.node}`);
  const version = Math.min(ours.newest, theirs.newest);
  if (version >= Math.max(ours.oldest, theirs.oldest)) return version;
  throw new GreetingError(
    `${theirs.node} speaks versions ${theirs.oldest} to ${theirs.newest} between nodes, we speak ${ours.oldest} to ${ours.newest}; upgrade one version after the other`,
  );
}

/** A greeting from the wire. Throws GreetingError. */
export function parseGreeting(batch: Buffer): Greeting & { readonly proof?: unknown } {
  let said: unknown;
  try {
    said = JSON.parse(batch.toString('utf8'));
  } catch {
    throw new GreetingError('the peer does not speak our protocol');
  }
  const { cluster, node, session, oldest, newest, nonce } = (said ?? {}) as { [field: string]: unknown };
  const isText = [cluster, node, nonce].every((value) => typeof value === 'string');
  const isNumber = [session, oldest, newest].every((value) => Number.isSafeInteger(value));
  if (!isText || !isNumber) throw new GreetingError('the peer does not speak our protocol');
  return said as Greeting & { readonly proof?: unknown };
}
