import { compilePattern, PatternError } from '@chapar/platform';
import type { Later } from './later.js';
import type { Principal } from './ports.js';
import { type JsonValue, type MetadataEvent, type MetadataStore, metadataKey, metadataKeyParts } from './ports.js';

export type Permission = 'configure' | 'write' | 'read';
export type ResourceKind = 'queue' | 'exchange';

/** Patterns of one user in one virtual host. */
export interface PermissionRecord {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Patterns on routing keys of one user for one topic exchange. */
export interface TopicPermissionRecord {
  readonly write: string;
  readonly read: string;
}

/**
 * Who may do what. Implementations: the permissions in metadata (below); later LDAP and HTTP back ends, which answer by promise and
 * are put in front of it.
 */
export interface Authorizer {
  /** Changes when an answer given before may no longer hold. */
  readonly version: number;
  vhost(principal: Principal, vhost: string): Later<boolean>;
  resource(
    principal: Principal,
    vhost: string,
    kind: ResourceKind,
    name: string,
    permission: Permission,
  ): Later<boolean>;
  /** Only for topic exchanges, after `resource` allowed. */
  topic(
    principal: Principal,
    vhost: string,
    exchange: string,
    permission: 'write' | 'read',
    routingKey: string,
  ): Later<boolean>;
}

/** How permissions name the default exchange. */
const defaultExchangeName = 'amq.default';

/** The permissions kept in metadata: `permissions/<vhost>/<user>` and `topic-permissions/<vhost>/<user>/<exchange>`. */
export class Permissions implements Authorizer {
  version = 1;
  private readonly metadata: MetadataStore;
  /** By vhost, then user. */
  private readonly resources = new Map<string, Map<string, PermissionRecord>>();
  /** By vhost, then user, then exchange. */
  private readonly topics = new Map<string, Map<string, Map<string, TopicPermissionRecord>>>();

  constructor(metadata: MetadataStore) {
    this.metadata = metadata;
  }

  async open(): Promise<void> {
    for (const prefix of ['permissions/', 'topic-permissions/']) {
      const { revision, entries } = await this.metadata.load(prefix);
      this.apply(entries);
      this.metadata.watch(prefix, revision, (events) => this.apply(events));
    }
  }

  vhost(principal: Principal, vhost: string): boolean {
    return this.resources.get(vhost)?.has(principal.user) ?? false;
  }

  resource(principal: Principal, vhost: string, _kind: ResourceKind, name: string, permission: Permission): boolean {
    const record = this.resources.get(vhost)?.get(principal.user);
    if (record === undefined) return false;
    return matches(record[permission], name === '' ? defaultExchangeName : name);
  }

  topic(
    principal: Principal,
    vhost: string,
    exchange: string,
    permission: 'write' | 'read',
    routingKey: string,
  ): boolean {
    const record = this.topics.get(vhost)?.get(principal.user)?.get(exchange);
    // No topic permission for this exchange: the permission on the exchange itself decided.
    if (record === undefined) return true;
    // By functions: `$&` in a name is no reference to what was found.
    const pattern = record[permission]
      .replaceAll('{username}', () => literally(principal.user))
      .replaceAll('{vhost}', () => literally(vhost));
    return matches(pattern, routingKey);
  }

  // ---- administration ------------------------------------------------------------------------------------------

  list(): { vhost: string; user: string; record: PermissionRecord }[] {
    return [...this.resources].flatMap(([vhost, users]) =>
      [...users].map(([user, record]) => ({ vhost, user, record })),
    );
  }

  get(vhost: string, user: string): PermissionRecord | undefined {
    return this.resources.get(vhost)?.get(user);
  }

  /** Throws PatternError for what RE2 does not take. */
  async set(vhost: string, user: string, { configure, write, read }: PermissionRecord): Promise<void> {
    for (const pattern of [configure, write, read]) compilePattern(pattern);
    await this.metadata.change(
      [],
      [{ key: metadataKey('permissions', vhost, user), value: { configure, write, read } }],
    );
  }

  async clear(vhost: string, user: string): Promise<void> {
    await this.metadata.change([], [{ key: metadataKey('permissions', vhost, user), value: undefined }]);
  }

  listTopics(): { vhost: string; user: string; exchange: string; record: TopicPermissionRecord }[] {
    return [...this.topics].flatMap(([vhost, users]) =>
      [...users].flatMap(([user, exchanges]) =>
        [...exchanges].map(([exchange, record]) => ({ vhost, user, exchange, record })),
      ),
    );
  }

  async setTopic(vhost: string, user: string, exchange: string, record: TopicPermissionRecord): Promise<void> {
    const { write, read } = record;
    for (const pattern of [write, read]) compilePattern(pattern);
    const key = metadataKey('topic-permissions', vhost, user, exchange);
    await this.metadata.change([], [{ key, value: { write, read } }]);
  }

  /** Without an exchange: all of the user in the virtual host. */
  async clearTopic(vhost: string, user: string, exchange?: string): Promise<void> {
    const exchanges = exchange === undefined ? [...(this.topics.get(vhost)?.get(user)?.keys() ?? [])] : [exchange];
    const writes = exchanges.map((name) => ({
      key: metadataKey('topic-permissions', vhost, user, name),
      value: undefined,
    }));
    if (writes.length > 0) await this.metadata.change([], writes);
  }

  // ---- metadata ------------------------------------------------------------------------------------------------

  private apply(events: readonly MetadataEvent[]): void {
    for (const { key, value } of events) {
      const [kind, vhost, user, exchange] = metadataKeyParts(key) as [string, string, string, string];
      if (kind === 'permissions') put(this.resources, [vhost, user], value);
      else put(this.topics, [vhost, user, exchange], value);
    }
    this.version++;
  }
}

type Tree = Map<string, unknown>;

/** Puts or deletes what the names lead to; maps that become empty go too. */
function put(tree: Tree, [name, ...rest]: readonly string[], value: JsonValue | undefined): void {
  if (rest.length === 0) {
    if (value === undefined) tree.delete(name!);
    else tree.set(name!, value);
    return;
  }
  const inner = (tree.get(name!) as Tree | undefined) ?? new Map();
  put(inner, rest, value);
  if (inner.size === 0) tree.delete(name!);
  else tree.set(name!, inner);
}

/** In the field an empty pattern matches only the empty name (`''` means "nothing"). */
function matches(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  try {
    return compilePattern(pattern).test(name);
  } catch (error) {
    if (error instanceof PatternError) return false;
    throw error;
  }
}

/** A user's name put into a pattern stands for itself. */
function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
