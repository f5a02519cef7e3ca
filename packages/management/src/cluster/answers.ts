import type { Broker } from '@chapar/core';
import { channelNamed, oneChannel } from '../api/channels.js';
import { type Closing, closeConnections, closeHere } from '../api/connections.js';
import { answerMaintenance } from '../api/maintenance.js';
import { memoryOfNode, oneNode } from '../api/nodes.js';
import { watched, watchedParts } from '../api/overview.js';
import { endHere, endSession, type SessionEnd } from '../api/sessions.js';
import { memoryJson } from '../json/memory.js';
import { alarmsJson, nodeJson } from '../json/node.js';
import type { ManagementOptions } from '../options.js';
import { channelKind, connectionKind, consumerKind } from './connection-kinds.js';
import type { Peers } from './peers.js';
import { answerQueueRows } from './queue-rows.js';
import { answerScattered, type Scope } from './scattered.js';
import { sessionKind, wholeSessionKind } from './session-kinds.js';
import { answerStatus } from './status.js';
import { answerTotals } from './totals.js';

/** What nodes ask each other for, for health checks. */
export const alarmsOfNode = 'alarms';

/** Answers what the APIs of other nodes ask this one. They have checked who asks them. */
export function answerPeers(broker: Broker, options: ManagementOptions, peers: Peers): void {
  const { membership } = peers;
  if (membership === null) return;
  answerScattered(broker, peers, connectionKind);
  answerScattered(broker, peers, channelKind);
  answerScattered(broker, peers, consumerKind);
  answerScattered(broker, peers, sessionKind);
  answerScattered(broker, peers, wholeSessionKind);
  answerQueueRows(broker, peers);
  answerTotals(broker, peers);
  answerStatus(broker, options, peers);
  answerMaintenance(broker, peers);
  membership.answer(oneNode, () => nodeJson(broker, options));
  membership.answer(memoryOfNode, () => memoryJson());
  membership.answer(watchedParts, () => watched(broker, options));
  membership.answer(alarmsOfNode, () => alarmsJson(broker));
  membership.answer(closeConnections, (body) => {
    closeHere(broker, body as unknown as Closing);
    return null;
  });
  membership.answer(endSession, async (body) => {
    await endHere(broker, body as unknown as SessionEnd);
    return null;
  });
  membership.answer(oneChannel, (body) => {
    const { scope, name } = body as unknown as { scope: Scope; name: string };
    return channelNamed(broker, scope, name);
  });
}
