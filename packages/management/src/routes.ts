import type { Platform } from '@chapar/platform';
import { bindingRoutes } from './api/bindings.js';
import { channelRoutes } from './api/channels.js';
import { clusterRoutes } from './api/cluster.js';
import { connectionRoutes } from './api/connections.js';
import { consumerRoutes } from './api/consumers.js';
import { copyRoutes } from './api/copies.js';
import { definitionRoutes } from './api/definitions.js';
import { exchangeRoutes } from './api/exchanges.js';
import { factRoutes } from './api/facts.js';
import { getRoutes } from './api/get.js';
import { healthRoutes } from './api/health.js';
import { limitRoutes } from './api/limits.js';
import { maintenanceRoutes } from './api/maintenance.js';
import { nodeRoutes } from './api/nodes.js';
import { overviewRoutes } from './api/overview.js';
import { parameterRoutes } from './api/parameters.js';
import { permissionRoutes } from './api/permissions.js';
import { policyRoutes } from './api/policies.js';
import { publishRoutes } from './api/publish.js';
import { queueRoutes } from './api/queues.js';
import { sessionRoutes } from './api/sessions.js';
import { topicPermissionRoutes } from './api/topic-permissions.js';
import { userRoutes } from './api/users.js';
import { vhostRoutes } from './api/vhosts.js';
import { whoamiRoutes } from './api/whoami.js';
import { Peers } from './cluster/peers.js';
import { Reach } from './cluster/reach.js';
import type { ManagementOptions } from './options.js';
import type { Route } from './route.js';
import { Said } from './said.js';

/** The whole API. A new endpoint is a line in one of these, or a file beside them and a line here. */
export function allRoutes(options: ManagementOptions, platform: Pick<Platform, 'clock' | 'log'>): readonly Route[] {
  const { clock, log } = platform;
  const said = new Said(log);
  const peers = new Peers(options.membership, log);
  const reach = new Reach(peers, clock);
  reach.answer();
  return [
    ...overviewRoutes(options, peers),
    ...factRoutes,
    ...nodeRoutes(options, peers),
    ...maintenanceRoutes(peers),
    ...clusterRoutes(options, peers),
    ...whoamiRoutes,
    ...vhostRoutes(peers),
    ...userRoutes,
    ...permissionRoutes,
    ...topicPermissionRoutes,
    ...queueRoutes(peers),
    ...copyRoutes(peers, log),
    ...getRoutes,
    ...exchangeRoutes,
    ...publishRoutes(options.form),
    ...bindingRoutes,
    ...policyRoutes,
    ...parameterRoutes(said),
    ...limitRoutes,
    ...connectionRoutes(peers),
    ...channelRoutes(peers),
    ...sessionRoutes(peers),
    ...consumerRoutes(peers),
    ...definitionRoutes(said),
    ...healthRoutes(options, peers, reach),
  ];
}
