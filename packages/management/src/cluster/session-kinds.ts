import type { Broker, SessionView } from '@chapar/core';
import { sessionJson, wholeSessionJson } from '../json/session.js';
import { compareTexts } from '../sorting.js';
import type { Scattered, Scope } from './scattered.js';

export const sessionKind: Scattered<SessionView> = {
  kind: 'mqtt-sessions',
  items: async (broker, scope) => sessionsIn(broker, scope),
  name: ({ clientId }) => clientId,
  order: (a, b) => compareTexts(a.vhost, b.vhost) || compareTexts(a.clientId, b.clientId),
  orderColumns: [['vhost'], ['client_id']],
  json: sessionJson,
};

/** The same, to be asked for one. */
export const wholeSessionKind: Scattered<SessionView> = {
  ...sessionKind,
  kind: 'mqtt-whole-sessions',
  json: wholeSessionJson,
};

function sessionsIn(broker: Broker, { vhosts, user }: Scope): SessionView[] {
  const visible = vhosts === null ? null : new Set(vhosts);
  const found: SessionView[] = [];
  for (const session of broker.sessions) {
    if (visible !== null && !visible.has(session.vhost)) continue;
    if (user === null || session.user === user) found.push(session);
  }
  return found;
}
