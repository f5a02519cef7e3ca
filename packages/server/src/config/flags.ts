import { addressForms } from './address.js';
import { builtProtocolsText, notBuiltText, toCome } from './not-built.js';
import type { Assignment } from './origin.js';
import { ConfigurationError, nearest, type Problem } from './problem.js';
import { defaultPorts, isKnownProtocol, protocols } from './protocols.js';

/** The options of `npm start --` and `chapar start`, as the command line brought them. */
export interface Flags {
  readonly config?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly nodeName?: string | undefined;
  /** `PROTOCOL=HOST:PORT`, one per --listen. */
  readonly listen?: readonly string[];
  /** One protocol per --no-listen. */
  readonly noListen?: readonly string[];
  /** `URL[,URL...]`. */
  readonly etcd?: string | undefined;
  readonly etcdPrefix?: string | undefined;
  /** `HOST:PORT`. */
  readonly advertise?: string | undefined;
}

/** Throws ConfigurationError for what cannot be a setting at all. */
export function readFlags(flags: Flags): Assignment[] {
  const problems: Problem[] = [];
  const assignments: Assignment[] = [];
  if (flags.dataDir !== undefined) assignments.push(fromFlag('node.dataDir', flags.dataDir, '--data-dir'));
  if (flags.nodeName !== undefined) assignments.push(fromFlag('node.name', flags.nodeName, '--node-name'));
  if (flags.etcd !== undefined) assignments.push(fromFlag('cluster.etcd', splitUrls(flags.etcd), '--etcd'));
  if (flags.etcdPrefix !== undefined) assignments.push(fromFlag('cluster.prefix', flags.etcdPrefix, '--etcd-prefix'));
  if (flags.advertise !== undefined) assignments.push(fromFlag('node.advertise', flags.advertise, '--advertise'));
  assignments.push(...readListen(flags.listen ?? [], problems), ...readNoListen(flags.noListen ?? [], problems));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return assignments;
}

/** Nothing stays one empty URL, which is then refused: `--etcd "$ETCD"` without that variable must not make a node alone. */
function splitUrls(text: string): string[] {
  return text.split(',').map((url) => url.trim());
}

/** When any --listen is given, only those that are named listen. */
function readListen(texts: readonly string[], problems: Problem[]): Assignment[] {
  if (texts.length === 0) return [];
  const given = new Map<string, Assignment>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = at < 0 ? text : text.slice(0, at);
    if (!isKnownProtocol(name) || toCome(`listeners.${name}`) !== undefined) {
      problems.push(refused('--listen', name));
    } else if (given.has(name)) {
      problems.push({
        origin: { kind: 'flag', flag: '--listen' },
        text: `${name} is given twice`,
        hint: 'One address for each protocol.',
      });
    } else {
      given.set(name, fromFlag(`listeners.${name}`, at < 0 ? true : text.slice(at + 1), '--listen'));
    }
  }
  const silent = protocols
    .filter((name) => !given.has(name))
    .map((name) => fromFlag(`listeners.${name}`, 'off', '--listen'));
  return [...given.values(), ...silent];
}

function readNoListen(names: readonly string[], problems: Problem[]): Assignment[] {
  const assignments: Assignment[] = [];
  for (const name of names) {
    if (!isKnownProtocol(name)) problems.push(refused('--no-listen', name));
    // One that is not built does not listen anyway.
    else if (toCome(`listeners.${name}`) === undefined)
      assignments.push(fromFlag(`listeners.${name}`, 'off', '--no-listen'));
  }
  return assignments;
}

function refused(flag: string, name: string): Problem {
  const origin = { kind: 'flag', flag } as const;
  if (isKnownProtocol(name)) return { origin, text: notBuiltText(`the protocol ${name}`), hint: builtProtocolsText };
  const meant = nearest(name, Object.keys(defaultPorts));
  const guess = meant === undefined ? '' : `Did you mean ${meant}? `;
  return {
    origin,
    text: `'${name}' is not a protocol`,
    hint: `${guess}Written PROTOCOL=ADDRESS; ${builtProtocolsText} Addresses: ${addressForms}.`,
  };
}

function fromFlag(key: string, value: unknown, flag: string): Assignment {
  return { key, value, origin: { kind: 'flag', flag } };
}
