import { addressForms } from './address.js';
import { builtProtocolsText, flagsToCome, notBuiltText, toCome } from './not-built.js';
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
  /** Options that are settled but not built: flag and what was given. */
  readonly toCome?: readonly string[];
}

/** Throws ConfigurationError for what cannot be a setting at all. */
export function readFlags(flags: Flags): Assignment[] {
  const problems: Problem[] = (flags.toCome ?? []).map((flag) => ({
    origin: { kind: 'flag', flag },
    text: notBuiltText(flagsToCome[flag] ?? flag),
    hint: `Leave ${flag} out; a later version takes it.`,
  }));
  const assignments: Assignment[] = [];
  if (flags.dataDir !== undefined) assignments.push(fromFlag('node.dataDir', flags.dataDir, '--data-dir'));
  if (flags.nodeName !== undefined) assignments.push(fromFlag('node.name', flags.nodeName, '--node-name'));
  assignments.push(...readListen(flags.listen ?? [], problems), ...readNoListen(flags.noListen ?? [], problems));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return assignments;
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
