import { BrokerError, type JsonValue } from '@chapar/core';
import { Fields, isTable } from '../fields.js';
import { Pace } from '../pace.js';
import { readPolicy } from '../policy.js';
import { badRequest, problemOf } from '../problem.js';
import { knownQueueType } from '../queue-type.js';
import { parametersDoNotAct } from '../said.js';
import { shortText } from '../short-text.js';
import { importParameter } from './parameters.js';
import { type DefinitionKind, type DefinitionName, ImportReport, type Verdict } from './report.js';
import { type ImportTarget, vhostOf } from './target.js';
import { importBinding, importExchange, importQueue } from './topology.js';
import { importUser } from './users.js';

interface Section {
  /** The key of the file. */
  readonly key: string;
  readonly kind: DefinitionKind;
  /** False: only in files of the whole broker. */
  readonly ofVirtualHost: boolean;
  /** By default the key `name`. */
  readonly name?: (fields: Fields) => string;
  readonly take: (target: ImportTarget, fields: Fields) => Promise<void>;
}

/** In an order in which everything finds what it names. */
const sections: readonly Section[] = [
  { key: 'users', kind: 'user', ofVirtualHost: false, take: ({ broker }, fields) => importUser(broker, fields) },
  { key: 'vhosts', kind: 'vhost', ofVirtualHost: false, take: importVirtualHost },
  { key: 'permissions', kind: 'permission', ofVirtualHost: false, name: ofUser, take: importPermission },
  {
    key: 'topic_permissions',
    kind: 'topic_permission',
    ofVirtualHost: false,
    name: ofUser,
    take: importTopicPermission,
  },
  { key: 'parameters', kind: 'parameter', ofVirtualHost: true, take: importParameter },
  { key: 'global_parameters', kind: 'global_parameter', ofVirtualHost: false, take: importGlobalParameter },
  { key: 'policies', kind: 'policy', ofVirtualHost: true, take: importPolicy },
  { key: 'exchanges', kind: 'exchange', ofVirtualHost: true, take: importExchange },
  { key: 'queues', kind: 'queue', ofVirtualHost: true, take: importQueue },
  { key: 'bindings', kind: 'binding', ofVirtualHost: true, name: shownBinding, take: importBinding },
];

/** Definitions of one section under way at once: the store gathers them into few syncs. */
const atOnce = 64;

/**
 * Takes a file of definitions, of RabbitMQ 3.x or 4.x or our own. Merges: what is not in the file stays, and importing twice changes
 * nothing. What is refused is reported, and the rest is taken.
 */
export async function importDefinitions(target: ImportTarget, file: Fields): Promise<ImportReport> {
  const report = new ImportReport();
  const pace = new Pace(target.broker.platform.clock);
  for (const section of sections) {
    if (target.vhost !== null && !section.ofVirtualHost) continue;
    const definitions = file.list(section.key);
    for (let at = 0; at < definitions.length; at += atOnce) {
      const batch = definitions.slice(at, at + atOnce).map((each) => importOne(target, section, each));
      // In the order of the file, whichever was done first.
      for (const verdict of await Promise.all(batch)) report.add(verdict);
      if (pace.isDue) await pace.rest();
    }
  }
  return report;
}

async function importOne(target: ImportTarget, section: Section, given: JsonValue): Promise<Verdict> {
  const fields = new Fields(isTable(given) ? given : {});
  const definition = nameOf(target, section, fields);
  try {
    if (!isTable(given)) throw badRequest('a definition must be an object');
    await section.take(target, fields);
    return { became: 'taken', definition, reason: '' };
  } catch (error) {
    const problem = error instanceof RangeError ? badRequest(error.message) : problemOf(error);
    if (problem === null) throw error;
    const isThere = error instanceof BrokerError && error.key === 'inequivalent';
    return { became: isThere ? 'kept' : 'refused', definition, reason: problem.message };
  }
}

function nameOf(target: ImportTarget, { kind, name }: Section, fields: Fields): DefinitionName {
  const vhost = fields.value('vhost') ?? target.vhost?.name;
  const given = name === undefined ? fields.value('name') : name(fields);
  return { kind, name: String(given ?? ''), ...(typeof vhost === 'string' ? { vhost } : {}) };
}

function ofUser(fields: Fields): string {
  return String(fields.value('user') ?? '');
}

function shownBinding(fields: Fields): string {
  return `${fields.value('source') ?? ''} -> ${fields.value('destination') ?? ''} (${fields.value('routing_key') ?? ''})`;
}

// ---- the small ones ---------------------------------------------------------------------------------------------

async function importVirtualHost({ broker }: ImportTarget, fields: Fields): Promise<void> {
  fields.require('name');
  const name = shortText('the name of a virtual host', fields.text('name', ''));
  // RabbitMQ 4.x writes the same things twice.
  const metadata = new Fields(fields.table('metadata'));
  const existing = broker.topology.vhosts.get(name)?.properties;
  const type = fields.text('default_queue_type', metadata.text('default_queue_type', existing?.defaultQueueType ?? ''));
  const tags = fields.has('tags') ? fields.words('tags') : metadata.words('tags');
  await broker.putVirtualHost(name, {
    description: fields.text('description', metadata.text('description', existing?.description ?? '')),
    tags: tags.length > 0 ? tags : (existing?.tags ?? []),
    defaultQueueType: knownQueueType(type),
    protectedFromDeletion: metadata.truth('protected_from_deletion', existing?.protectedFromDeletion ?? false),
  });
}

async function importPermission(target: ImportTarget, fields: Fields): Promise<void> {
  fields.require('user', 'configure', 'write', 'read');
  const { name } = vhostOf(target, fields);
  await target.broker.permissions.set(name, existingUser(target, fields), {
    configure: fields.text('configure', ''),
    write: fields.text('write', ''),
    read: fields.text('read', ''),
  });
}

async function importTopicPermission(target: ImportTarget, fields: Fields): Promise<void> {
  fields.require('user', 'exchange', 'write', 'read');
  const { name } = vhostOf(target, fields);
  const record = { write: fields.text('write', ''), read: fields.text('read', '') };
  await target.broker.permissions.setTopic(name, existingUser(target, fields), fields.text('exchange', ''), record);
}

function existingUser({ broker }: ImportTarget, fields: Fields): string {
  const user = fields.text('user', '');
  if (broker.users.get(user) === undefined) throw badRequest(`no_such_user: '${user}'`);
  return user;
}

async function importGlobalParameter({ broker, said }: ImportTarget, fields: Fields): Promise<void> {
  fields.require('name', 'value');
  await broker.records.put('global-parameters', [fields.text('name', '')], fields.value('value')!);
  said.warn({ parameter: fields.text('name', '') }, parametersDoNotAct);
}

async function importPolicy(target: ImportTarget, fields: Fields): Promise<void> {
  fields.require('name');
  const vhost = vhostOf(target, fields).name;
  const name = fields.text('name', '');
  await target.broker.records.put('policies', [vhost, name], readPolicy('policy', fields));
}
