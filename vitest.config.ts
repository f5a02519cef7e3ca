import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packages = ['bytes', 'platform', 'core', 'store', 'cluster', 'auth', 'amqp091', 'mqtt', 'management', 'server'];
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Tests run on the sources, so that a failing line is the line one edits.
const alias = packages.map((name) => ({
  find: `@chapar/${name}`,
  replacement: here(`./packages/${name}/src/index.ts`),
}));

/** Two at least: left to itself a machine with two cores would have one. */
const maxWorkers = Math.max(availableParallelism() - 1, 2);

/** Long tests that only compute: `npm run test:all` runs them beside the others. */
const simulated = [
  'test/sim/**/*.all.test.ts',
  'test/replication/*.all.test.ts',
  'test/cluster/keyed-random.all.test.ts',
  'test/cluster/mqtt-random.all.test.ts',
];

const common = { reporters: ['default', here('./tools/closing-reporter.mjs')] };

// `vitest run` (npm test) takes what needs only the checkout; `--mode all` (npm run test:all) the files that need other programs or
// much time; `--mode fuzz` (npm run fuzz) the fuzzers, which then run for CHAPAR_FUZZ_SECONDS each; `--mode sim` (npm run sim) the
// simulator with any number of seeds.
export default defineConfig(({ mode }) => {
  if (mode.startsWith('all')) {
    const long = ['packages/*/src/**/*.all.test.ts', 'test/**/*.all.test.ts', 'bench/**/*.all.test.ts'];
    const include = mode === 'all-simulated' ? simulated : long;
    const exclude = ['**/node_modules/**', ...(mode === 'all-real' ? simulated : [])];
    return {
      resolve: { alias },
      test: {
        ...common,
        include,
        exclude,
        fileParallelism: false,
        testTimeout: 600_000,
        hookTimeout: 600_000,
        teardownTimeout: 60_000,
      },
    };
  }
  if (mode === 'fuzz') {
    const testTimeout = 120_000 + 1000 * Number(process.env['CHAPAR_FUZZ_SECONDS'] ?? 60);
    return {
      resolve: { alias },
      test: { ...common, include: ['test/fuzz/**/*.test.ts'], fileParallelism: false, testTimeout },
    };
  }
  if (mode === 'sim') {
    return {
      resolve: { alias },
      test: { ...common, include: ['test/sim/*.seeds.ts'], fileParallelism: false, testTimeout: 24 * 3_600_000 },
    };
  }
  const include = ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'tools/**/*.test.mjs'];
  const exclude = ['**/node_modules/**', '**/*.all.test.ts'];
  return {
    resolve: { alias },
    test: { ...common, include, exclude, pool: 'threads', isolate: false, maxWorkers, testTimeout: 20_000 },
  };
});
