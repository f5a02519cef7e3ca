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
  /** Of each publisher of MQTT; 0: there are no clients of MQTT. */
  readonly mqttRate: number;
  /** Whether MQTT's messages must be in order while all is well, or whatever happens. */
  readonly mqttOrder: 'well' | 'always';
  /** Whether a will that comes twice is a fault. */
  readonly mqttWills: 'once' | 'at-least-once';
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
  const one = <T extends string>(name: string, choice: readonly [T, ...T[]]): T => {
    const text = environment[`CHAPAR_JEPSEN_${name}`] ?? choice[0];
    const found = choice.find((each) => each === text);
    if (found === undefined) throw new Error(`CHAPAR_JEPSEN_${name}: expected ${choice.join(' or ')}, got '${text}'`);
    return found;
  };
  return {
    seconds: number('SECONDS', 60),
    rounds: number('ROUNDS', 1),
    seed: number('SEED', Date.now() % 1_000_000),
    nemesis: nemesisFrom(environment['CHAPAR_JEPSEN_NEMESIS']),
    queueType: one('QUEUE_TYPE', ['quorum', 'classic']),
    leaseSeconds: number('LEASE', 3),
    rate: number('RATE', 80),
    mqttRate: one('MQTT', ['on', 'off']) === 'on' ? number('MQTT_RATE', 10) : 0,
    mqttOrder: one('MQTT_ORDER', ['well', 'always']),
    mqttWills: one('MQTT_WILLS', ['at-least-once', 'once']),
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
