import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { Broker } from '@chapar/core';
import type { Log } from '@chapar/platform';
import { Caller } from './caller.js';
import { notAuthorised, Problem } from './problem.js';

/** Tells who sent a request: a user by HTTP basic authentication, or the local command line by this node's token. */
export class Credentials {
  private readonly broker: Broker;
  private readonly log: Log;
  private readonly tokenDigest: Buffer | null;

  /** `token`: null when there is no local command line to let in. */
  constructor(broker: Broker, log: Log, token: string | null) {
    this.broker = broker;
    this.log = log;
    this.tokenDigest = token === null ? null : digest(token);
  }

  /** Throws Problem 401 for nobody, for a wrong password, and for users without one of the API's tags. */
  async check(authorization: string | undefined, peerAddress: string, peerPort: number): Promise<Caller> {
    const [, scheme, value] = /^(\S+)\s+(\S+)\s*$/.exec(authorization ?? '') ?? [];
    if (scheme === undefined || value === undefined) throw unknown('Login needed');
    if (scheme.toLowerCase() === 'bearer') return this.byToken(value);
    if (scheme.toLowerCase() !== 'basic') throw unknown(`Authentication scheme ${scheme} is not supported`);
    return this.byPassword(value, peerAddress, peerPort);
  }

  private byToken(token: string): Caller {
    if (this.tokenDigest === null || !timingSafeEqual(digest(token), this.tokenDigest)) throw unknown('Login failed');
    return new Caller(this.broker, { user: localUser, tags: ['administrator'], backend: 'internal' }, true);
  }

  private async byPassword(encoded: string, peerAddress: string, peerPort: number): Promise<Caller> {
    const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
    if (user === undefined || password === undefined) throw unknown('Login failed');
    const peer = `${peerAddress}:${peerPort}`;
    const result = await this.broker.authenticator.password(user, password, {
      loopback: isLoopback(peerAddress),
      peer,
    });
    if (!result.ok) {
      this.log.warn({ user, peer, reason: result.reason }, 'HTTP access denied');
      throw unknown('Login failed');
    }
    const caller = new Caller(this.broker, result.principal, false);
    if (caller.isManager) return caller;
    this.log.warn({ user, peer }, 'HTTP access denied: not a management user');
    throw notAuthorised('Not management user');
  }
}

/** How whoever came with the token is called in logs and answers. */
const localUser = 'chapar-cli';

function unknown(reason: string): Problem {
  return new Problem(401, 'not_authorized', reason, { 'www-authenticate': 'Basic realm="Chapar Management"' });
}

/** Equal lengths for a comparison that takes the same time wherever the difference is. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  return isIP(plain) === 4 ? plain.startsWith('127.') : plain === '::1';
}
