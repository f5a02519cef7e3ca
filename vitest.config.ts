import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packages = ['bytes', 'platform', 'core', 'store', 'auth', 'amqp091', 'management', 'server'];
const source = (name: string) => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url));

export default defineConfig({
  // Tests run on the sources, so that a failing line is the line one edits.
  resolve: { alias: packages.map((name) => ({ find: `@chapar/${name}`, replacement: source(name) })) },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'threads',
    isolate: false,
    testTimeout: 20_000,
  },
});
