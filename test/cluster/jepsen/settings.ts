import { kinds, usual } from './nemesis.js';

/** How long, how often and with what; from the environment, where tools/jepsen.mjs puts its options. */
export interface Settings {
  readonly seconds: number;
  readonly rounds: number;
  /** Of the first round; those after it have the ones that follow. */
  readonly seed: number;
  readonly nemesis: readonly string[];
  readonly queueType: 'quorum' | 'classic';
  readonly leaseSeconds: number;
  /** Messages a second of each publisher. */
  readonly rate: number;
  /** Where what is worth reading is kept, also when all went well; null: in a temporary directory when it did not. */
  readonly keep: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws when something is wrong with them. */
export function settingsFrom(environment: Environment): Settings {
  const number = (name: string, standard: number) => {
    const text = environment[`CHAPAR_JEPSEN_${name}`];
    if (text === undefined) return standard;
    if (!/^[0-9]+$/.test(text)) throw new Error(`CHAPAR_JEPSEN_${name}: expected a number, got '${text}'`);
    return Number(text);
  };
  const queueType = environment['CHAPAR_JEPSEN_QUEUE_TYPE'] ?? 'quorum';
  if (queueType !== 'quorum' && queueType !== 'classic') {
    throw new Error(`CHAPAR_JEPSEN_QUEUE_TYPE: expected quorum or classic, got '${queueType}'`);
  }
  return {
    seconds: number('SECONDS', 60),
    rounds: number('ROUNDS', 1),
    seed: number('SEED', Date.now() % 1_000_000),
    nemesis: nemesisFrom(environment['CHAPAR_JEPSEN_NEMESIS']),
    queueType,
    leaseSeconds: number('LEASE', 3),
    rate: number('RATE', 80),
    keep: environment['CHAPAR_JEPSEN_KEEP'] ?? null,
  };
}

function nemesisFrom(text: string | undefined): string[] {
  if (text === undefined) return [...usual];
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !(name in kinds));
  if (unknown.length > 0)
    throw new Error(`there is no nemesis ${unknown.join(', ')}; there are ${Object.keys(kinds).join(', ')}`);
  return names;
}
