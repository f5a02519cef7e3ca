import {
  type Authenticator,
  GuardFailedError,
  type JsonValue,
  type LoginContext,
  type LoginResult,
  type MetadataEvent,
  type MetadataStore,
  metadataKeyParts,
  type User,
  type UserDirectory,
  type Write,
} from '@chapar/core';
import type { Clock, Log, Random } from '@chapar/platform';
import { checkHash, fieldAlgorithm, fieldHash, hashPassword, scryptAlgorithm, verifyPassword } from './hash.js';
import { HashingQueue, TooManyLoginsError } from './hashing-queue.js';
import { LoginCache } from './login-cache.js';
import { userFromEntry, userKey, usersPrefix, userToValue } from './user-record.js';

export interface InternalUsersOptions {
  readonly metadata: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Users that may log in from the loopback only. */
  readonly loopbackUsers: readonly string[];
  /** How long a verified login is remembered; 0: not at all. */
  readonly loginCacheMs: number;
}

type PutUser = Parameters<UserDirectory['put']>[0];

/** The back end `internal`: users kept in metadata, mirrored in memory. */
export class InternalUsers implements Authenticator, UserDirectory {
  onDeleted: ((name: string) => void) | null = null;
  private readonly metadata: MetadataStore;
  private readonly random: Random;
  private readonly log: Log;
  private readonly loopbackUsers: ReadonlySet<string>;
  private readonly logins: LoginCache;
  private readonly hashing = new HashingQueue();
  private readonly users = new Map<string, User>();
  private stopWatching: (() => void) | null = null;
  private decoy: Promise<string> | null = null;

  constructor(options: InternalUsersOptions) {
    this.metadata = options.metadata;
    this.random = options.random;
    this.log = options.log;
    this.loopbackUsers = new Set(options.loopbackUsers);
    this.logins = new LoginCache(options.clock, options.random, options.loginCacheMs);
  }

  /** Reads the users and follows their changes. Called once, before anybody logs in. */
  async open(): Promise<void> {
    const { revision, entries } = await this.metadata.load(usersPrefix);
    this.apply(entries);
    this.stopWatching = this.metadata.watch(usersPrefix, revision, (events) => this.apply(events));
  }

  close(): void {
    this.stopWatching?.();
  }

  // ---- logging in ----------------------------------------------------------------------------------------------

  async password(name: string, password: string, context: LoginContext): Promise<LoginResult> {
    const user = this.users.get(name);
    try {
      const wrong = await this.findWrong(user, name, password);
      if (wrong !== null) return refused(wrong);
    } catch (error) {
      if (error instanceof TooManyLoginsError) return refused(error.message);
      throw error;
    }
    return this.admit(name, user, context);
  }

  async external(name: string, context: LoginContext): Promise<LoginResult> {
    const user = this.users.get(name);
    if (user === undefined) return refused(`there is no user '${name}'`);
    return this.admit(name, user, context);
  }

  /** Null when the password is right. Every refusal costs one scrypt, so that its time does not tell which names exist. */
  private async findWrong(user: User | undefined, name: string, password: string): Promise<string | null> {
    let why: string;
    if (password === '') why = `an empty password for user '${name}'`;
    else if (user === undefined) why = `there is no user '${name}'`;
    else if (user.passwordHash === '') why = `user '${name}' has no password`;
    else {
      const { passwordHash, hashingAlgorithm } = user;
      const verify = () => this.hashing.run(() => verifyPassword(password, hashingAlgorithm, passwordHash));
      if (await this.logins.check(name, `${hashingAlgorithm} ${passwordHash}`, password, verify)) return null;
      why = `wrong password for user '${name}'`;
      if (hashingAlgorithm === scryptAlgorithm) return why;
    }
    await this.hashing.run(async () => verifyPassword(password, scryptAlgorithm, await this.decoyHash()));
    return why;
  }

  /** The user may have changed while the password was being checked: what counts is the user of now. */
  private admit(name: string, checked: User | undefined, context: LoginContext): LoginResult {
    const user = this.users.get(name);
    if (user === undefined || user.passwordHash !== checked?.passwordHash) {
      return refused(`user '${name}' was changed during the login`);
    }
    if (this.loopbackUsers.has(name) && !context.loopback) {
      return refused(`user '${name}' may log in from this machine only (auth.loopbackUsers)`);
    }
    return { ok: true, principal: { user: name, tags: user.tags, backend: 'internal' } };
  }

  private decoyHash(): Promise<string> {
    this.decoy ??= hashPassword(this.random.uuid(), this.random);
    return this.decoy;
  }

  // ---- administration ------------------------------------------------------------------------------------------

  list(): readonly User[] {
    return [...this.users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): User | undefined {
    return this.users.get(name);
  }

  async put(given: PutUser): Promise<void> {
    const user = await createUser(given, this.random);
    await this.metadata.change([], [{ key: userKey(user.name), value: userToValue(user) }]);
  }

  /** Takes the user's permissions and limits along: who is made anew under the name later must not inherit them. */
  async delete(name: string): Promise<boolean> {
    const key = userKey(name);
    if (!this.users.has(name)) return false;
    const inherited = await this.belongings(name);
    try {
      await this.metadata.change([{ key, revision: 'present' }], [{ key, value: undefined }, ...inherited]);
      return true;
    } catch (error) {
      if (error instanceof GuardFailedError) return false;
      throw error;
    }
  }

  fieldHash(password: string): string {
    return fieldHash(password, this.random.bytes(4));
  }

  /** Deletions of `permissions/<vhost>/<user>`, `topic-permissions/<vhost>/<user>/<exchange>` and `user-limits/<user>/<limit>`. */
  private async belongings(name: string): Promise<Write[]> {
    const kinds = [
      { prefix: 'permissions/', part: 2 },
      { prefix: 'topic-permissions/', part: 2 },
      { prefix: 'user-limits/', part: 1 },
    ];
    const loaded = await Promise.all(kinds.map(({ prefix }) => this.metadata.load(prefix)));
    return loaded.flatMap(({ entries }, i) =>
      entries
        .filter(({ key }) => metadataKeyParts(key)[kinds[i]!.part] === name)
        .map(({ key }) => ({ key, value: undefined })),
    );
  }

  private apply(events: readonly MetadataEvent[]): void {
    for (const { key, value } of events) {
      const name = metadataKeyParts(key)[1] ?? '';
      this.logins.forget(name);
      if (value === undefined) {
        if (this.users.delete(name)) this.onDeleted?.(name);
      } else this.keep(key, value);
    }
  }

  private keep(key: string, value: JsonValue): void {
    try {
      const user = userFromEntry(key, value);
      this.users.set(user.name, user);
    } catch (error) {
      // Nobody logs in as a user that cannot be read; all others go on.
      this.users.delete(metadataKeyParts(key)[1] ?? '');
      this.log.error({ error, key }, 'a user in metadata cannot be read and is left out');
    }
  }
}

function refused(reason: string): LoginResult {
  return { ok: false, reason };
}

/** A user to be stored. Throws RangeError for contradictions, an unknown algorithm or a malformed hash. */
export async function createUser(given: PutUser, random: Random): Promise<User> {
  const { name, tags, password, passwordHash, limits = {} } = given;
  if (name === '') throw new RangeError('a user needs a name');
  if (password !== undefined && passwordHash !== undefined) {
    throw new RangeError('give a password or a password hash, not both');
  }
  if (password === '') throw new RangeError('an empty password is not taken: nobody could log in with it');
  if (password !== undefined) {
    const hashingAlgorithm = given.hashingAlgorithm ?? scryptAlgorithm;
    return {
      name,
      tags,
      limits,
      hashingAlgorithm,
      passwordHash: await hashPassword(password, random, hashingAlgorithm),
    };
  }
  const hashingAlgorithm = given.hashingAlgorithm ?? fieldAlgorithm;
  if (passwordHash !== undefined && passwordHash !== '') checkHash(hashingAlgorithm, passwordHash);
  return { name, tags, limits, hashingAlgorithm, passwordHash: passwordHash ?? '' };
}
