import type { Call } from './call.js';
import { notAuthorised } from './problem.js';
import type { Need } from './route.js';

/** Throws Problem 401 unless the caller's tags and permissions reach what the endpoint needs. */
export async function assertNeed(call: Call, need: Need): Promise<void> {
  const { caller } = call;
  if (caller.isAdministrator) return;
  if (need === 'administrator') throw notAuthorised('Not administrator user');
  if (need === 'monitoring' && !caller.isMonitor) throw notAuthorised('Not monitor user');
  if ((need === 'policymaker' || need === 'policies') && !caller.isPolicymaker)
    throw notAuthorised('Not policymaker user');
  if (need !== 'vhost' && need !== 'policies') return;
  const name = call.part('vhost');
  // One that is not there is answered by the endpoint, as 404.
  if (name === '' || !call.broker.topology.vhosts.has(name)) return;
  if (!(await caller.mayEnter(name))) throw notAuthorised('User not authorised to access virtual host');
}
