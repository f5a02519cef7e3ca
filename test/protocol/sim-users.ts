import type { Authenticator, LoginContext, LoginResult, User, UserDirectory, UserTag } from '@chapar/core';

interface Known extends User {
  readonly password: string;
}

/** Users with passwords in the clear: hashing is the business of other tests, and slow. */
export class SimUsers implements Authenticator, UserDirectory {
  onDeleted: ((name: string) => void) | null = null;
  private readonly users = new Map<string, Known>();
  /** Set to make the next login fail as no login should: with an error that is none of the peer's making. */
  fault: Error | null = null;

  add(name: string, options: { password?: string; tags?: UserTag[]; limits?: { [limit: string]: number } } = {}): void {
    const { password = name, tags = [], limits = {} } = options;
    this.users.set(name, { name, password, tags, limits, passwordHash: '', hashingAlgorithm: '' });
  }

  async password(name: string, password: string, _context: LoginContext): Promise<LoginResult> {
    this.throwFault();
    const user = this.users.get(name);
    if (user === undefined || user.password !== password) return { ok: false, reason: `not '${name}'` };
    return this.admit(user);
  }

  async external(name: string, _context: LoginContext): Promise<LoginResult> {
    const user = this.users.get(name);
    return user === undefined ? { ok: false, reason: `there is no '${name}'` } : this.admit(user);
  }

  private admit({ name, tags }: Known): LoginResult {
    return { ok: true, principal: { user: name, tags, backend: 'internal' } };
  }

  private throwFault(): void {
    const { fault } = this;
    this.fault = null;
    if (fault !== null) throw fault;
  }

  list(): readonly User[] {
    return [...this.users.values()];
  }

  get(name: string): User | undefined {
    return this.users.get(name);
  }

  async put(user: Parameters<UserDirectory['put']>[0]): Promise<void> {
    const { password, tags, limits } = user;
    this.add(user.name, { password: password ?? '', tags: [...tags], limits: { ...limits } });
  }

  async delete(name: string): Promise<boolean> {
    const was = this.users.delete(name);
    if (was) this.onDeleted?.(name);
    return was;
  }

  fieldHash(password: string): string {
    return password;
  }
}
