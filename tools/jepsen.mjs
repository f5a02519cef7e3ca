// npm run jepsen -- --seconds 300 [--rounds N] [--seed N] [--nemesis a,b] [--queue-type quorum|classic] [--lease N] [--rate N]
// [--mqtt on|off] [--mqtt-rate N] [--mqtt-order well|always] [--mqtt-wills at-least-once|once] [--keep DIRECTORY] [--talk]:
// test/cluster/jepsen for as long as one likes. --keep keeps logs and ledgers of good rounds too; --talk prints what is done as it is done.
import './node-version.mjs';
import { parseArgs } from 'node:util';

const { runTests } = await import('./run-tests.mjs');
const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    seed: { type: 'string' },
    nemesis: { type: 'string' },
    'queue-type': { type: 'string' },
    lease: { type: 'string' },
    rate: { type: 'string' },
    mqtt: { type: 'string' },
    'mqtt-rate': { type: 'string' },
    'mqtt-order': { type: 'string' },
    'mqtt-wills': { type: 'string' },
    keep: { type: 'string' },
    talk: { type: 'boolean' },
  },
});
const environment = Object.fromEntries(
  Object.entries(values).map(([name, value]) => [
    `CHAPAR_JEPSEN_${name.toUpperCase().replaceAll('-', '_')}`,
    String(value),
  ]),
);
await runTests('all', ['test/cluster/jepsen.all.test.ts'], environment);
