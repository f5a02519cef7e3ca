// The command line of `npm run bench`.
import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options]
  --vs rabbitmq      alternate with Debian's rabbitmq-server and print ratios
  --vs relay         alternate with the generator's own relay: how far the generator is from being the limit
  --against REF      alternate with another commit, built in a temporary worktree
  --alone            with --vs: only the other one, without Chapar
  --rows NAME,NAME   only these rows
  --seconds N        measured window of each measurement (5)
  --warmup N         what runs before each window (2)
  --rounds N         measurements of each broker for each row (3)
  --json FILE        all results, for programs
`;

/** What the user can put right; shown without a stack. */
export class UsageError extends Error {}

const PEERS = ['rabbitmq', 'relay'];

function positive(name, text) {
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`--${name} ${text}: a number above 0 is needed`);
  return value;
}

function check({ vs, against, alone }) {
  if (vs !== undefined && !PEERS.includes(vs)) throw new UsageError(`--vs ${vs}: known are ${PEERS.join(' and ')}`);
  if (vs && against) throw new UsageError('--vs and --against exclude each other');
  if (alone && !vs) throw new UsageError('--alone needs --vs');
}

/** Throws a UsageError (or the parser's own error) on anything that it does not know. */
export function readOptions(argv) {
  const text = { type: 'string' };
  const { values } = parseArgs({
    args: argv,
    options: {
      vs: text,
      against: text,
      alone: { type: 'boolean', default: false },
      rows: text,
      seconds: { ...text, default: '5' },
      warmup: { ...text, default: '2' },
      rounds: { ...text, default: '3' },
      json: text,
      help: { type: 'boolean' },
    },
  });
  check(values);
  return {
    ...values,
    rows: values.rows?.split(','),
    seconds: positive('seconds', values.seconds),
    warmup: positive('warmup', values.warmup),
    rounds: Math.ceil(positive('rounds', values.rounds)),
  };
}
