import { InternalUsers } from '@chapar/auth';
import { Broker, DIALECT_AMQP091, type JsonValue, type Message, noArguments } from '@chapar/core';
import {
  createManagement,
  type EncodedProperties,
  type Management,
  type Membership,
  type MessageForm,
} from '@chapar/management';
import { createNodePlatform, SimLog } from '@chapar/platform';
import { MemoryLogs, MemoryMetadata } from '../support/memory-store.js';

/** Properties as JSON text: these tests are about the API, not about the bytes of AMQP. */
const form: MessageForm = {
  dialect: DIALECT_AMQP091,
  encode(properties): EncodedProperties {
    const { priority, delivery_mode: mode, expiration } = properties;
    if (priority !== undefined && typeof priority !== 'number') throw new RangeError('priority must be a number');
    return {
      properties: Buffer.from(JSON.stringify(properties)),
      persistent: mode === 2,
      priority: priority ?? -1,
      expirationMs: expiration === undefined ? -1 : Number(expiration),
    };
  },
};

const describe = (message: Message) => JSON.parse(message.properties().toString() || '{}');

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly json: any;
}

/** A broker with its API over stores in memory, and a client of it. */
export class Fixture {
  readonly broker: Broker;
  readonly management: Management;
  readonly log: SimLog;
  readonly logs: MemoryLogs;
  ready = true;

  constructor(broker: Broker, management: Management, log: SimLog, logs: MemoryLogs) {
    this.broker = broker;
    this.management = management;
    this.log = log;
    this.logs = logs;
  }

  /** A request as `guest`, unless `as` names another (`user:password`), a token (`token:...`) or nobody (`null`). */
  async request(
    method: string,
    path: string,
    body?: JsonValue | string,
    as: string | null = 'guest:guest',
  ): Promise<Answer> {
    const authorization =
      as === null
        ? undefined
        : as.startsWith('token:')
          ? `Bearer ${as.slice(6)}`
          : `Basic ${Buffer.from(as).toString('base64')}`;
    const response = await this.management.inject({
      method: method as 'GET',
      url: path,
      headers: authorization === undefined ? {} : { authorization },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = response.payload;
    const { statusCode: status, headers } = response;
    return { status, headers, text, json: text === '' ? undefined : JSON.parse(text) };
  }

  get(path: string, as?: string | null): Promise<Answer> {
    return this.request('GET', path, undefined, as);
  }

  put(path: string, body?: JsonValue | string, as?: string | null): Promise<Answer> {
    return this.request('PUT', path, body, as);
  }

  post(path: string, body?: JsonValue | string, as?: string | null): Promise<Answer> {
    return this.request('POST', path, body, as);
  }

  delete(path: string, as?: string | null): Promise<Answer> {
    return this.request('DELETE', path, undefined, as);
  }

  async close(): Promise<void> {
    await this.management.close();
    await this.broker.close();
  }
}

export const token = 'a-token-of-this-node';

export async function startFixture(node = 'chapar@test', membership: Membership | null = null): Promise<Fixture> {
  const log = new SimLog();
  const platform = { ...createNodePlatform({ log: { level: 'silent' } }), log };
  const metadata = new MemoryMetadata();
  const logs = new MemoryLogs();
  const users = new InternalUsers({
    metadata,
    clock: platform.clock,
    random: platform.random,
    log: log.of('auth'),
    loopbackUsers: ['guest'],
    loginCacheMs: 60_000,
  });
  await users.open();
  const broker = new Broker({
    platform,
    metadata,
    logs,
    users,
    authenticator: users,
    authorizer: null,
    identity: {
      node,
      clusterName: 'test',
      product: 'Chapar',
      productVersion: '4.1.0',
      version: '0.1.0',
    },
    limits: {
      connectionsMax: Number.POSITIVE_INFINITY,
      channelsMax: 2047,
      frameBytesMax: 131_072,
      heartbeatSeconds: 60,
      handshakeSeconds: 10,
      messageBytesMax: 16 * 1024 * 1024,
      unsentBytesMax: 1024 * 1024,
      stalledSeconds: 60,
    },
  });
  broker.dialects.add({
    id: DIALECT_AMQP091,
    headers: (message) => describe(message).headers ?? noArguments,
    header: (message, name) => describe(message).headers?.[name],
    withHeaders: (message) => message,
    describe,
    deadLettered: () => {
      throw new Error('nothing is dead-lettered here');
    },
    withDeliveryCount: (message) => message,
    sections: () => {
      throw new Error('no door here speaks anything else');
    },
    ofSections: () => {
      throw new Error('no door here speaks anything else');
    },
  });
  await broker.open();
  // The field's quick hash: the stronger default costs 50 ms a test.
  const quick = 'rabbit_password_hashing_sha256';
  await users.put({ name: 'guest', tags: ['administrator'], password: 'guest', hashingAlgorithm: quick });
  await broker.permissions.set('/', 'guest', { configure: '.*', write: '.*', read: '.*' });
  let fixture: Fixture | null = null;
  const management = await createManagement(broker, {
    token,
    form,
    durability: 'in memory, for a test',
    isReady: () => fixture?.ready ?? true,
    listeners: () => [
      { protocol: 'amqp', address: '127.0.0.1', port: 5672 },
      { protocol: 'management', address: '127.0.0.1', port: 15672 },
    ],
    membership,
  });
  fixture = new Fixture(broker, management, log, logs);
  return fixture;
}

/** A user with the field's quick hash; `tags` empty: may not use the API. */
export async function addUser(fixture: Fixture, name: string, tags: string[], vhosts: string[] = []): Promise<string> {
  await fixture.broker.users.put({
    name,
    tags,
    password: 'pw',
    hashingAlgorithm: 'rabbit_password_hashing_sha256',
  });
  for (const vhost of vhosts) {
    await fixture.broker.permissions.set(vhost, name, { configure: '.*', write: '.*', read: '.*' });
  }
  return `${name}:pw`;
}
