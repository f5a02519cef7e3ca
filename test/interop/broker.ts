import type { Broker, StartOptions } from '../../examples/demo/broker.mjs';
import { startBroker as startChapar, useBroker } from '../../examples/demo/broker.mjs';

export type { Broker };

/**
 * The broker under test: a Chapar of its own, built from this checkout, or the one that CHAPAR_TEST_URL names (with
 * CHAPAR_TEST_MANAGEMENT_URL, and the shell commands CHAPAR_TEST_KILL9 and CHAPAR_TEST_RESTART for tests that restart it), in
 * a virtual host that exists for this file only.
 */
export function startBroker(options: StartOptions = {}): Promise<Broker> {
  const url = process.env['CHAPAR_TEST_URL'];
  if (url === undefined) return startChapar(options);
  return useBroker({
    url,
    managementUrl: process.env['CHAPAR_TEST_MANAGEMENT_URL'] ?? null,
    kill9Command: process.env['CHAPAR_TEST_KILL9'],
    restartCommand: process.env['CHAPAR_TEST_RESTART'],
    ownVhost: true,
  });
}

export interface Needs {
  needsUsers?: boolean;
  needsRestart?: boolean;
}

/** Why a test cannot run against this broker, or null. */
export function whyNot(broker: Broker, { needsUsers, needsRestart }: Needs): string | null {
  if (needsUsers && broker.managementUrl === null)
    return 'CHAPAR_TEST_MANAGEMENT_URL is not set, so no users can be made';
  if (needsRestart && !broker.canRestart) return 'CHAPAR_TEST_KILL9 and CHAPAR_TEST_RESTART are not set';
  return null;
}
