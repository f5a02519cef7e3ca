import { type Peers, withSilent } from '../cluster/peers.js';
import { clusterStatus } from '../cluster/status.js';
import type { ManagementOptions } from '../options.js';
import { ok } from '../reply.js';
import type { Route } from '../route.js';

/** Ours: the field shows a cluster in parts of other answers. */
export function clusterRoutes(options: ManagementOptions, peers: Peers): readonly Route[] {
  return [
    {
      path: '/api/cluster',
      summary:
        'The cluster: its nodes, since when they are there or gone, how many queues each leads, and what each says of its links, its revision of metadata, its alarms and etcd',
      GET: {
        need: 'monitoring',
        answer: async ({ broker }) => {
          const { status, silent } = await clusterStatus(broker, options, peers);
          return withSilent(ok(status), silent);
        },
      },
    },
  ];
}
