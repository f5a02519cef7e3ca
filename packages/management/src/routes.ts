import type { Log } from '@chapar/platform';
import { bindingRoutes } from './api/bindings.js';
import { channelRoutes } from './api/channels.js';
import { connectionRoutes } from './api/connections.js';
import { consumerRoutes } from './api/consumers.js';
import { definitionRoutes } from './api/definitions.js';
import { exchangeRoutes } from './api/exchanges.js';
import { factRoutes } from './api/facts.js';
import { getRoutes } from './api/get.js';
import { healthRoutes } from './api/health.js';
import { limitRoutes } from './api/limits.js';
import { nodeRoutes } from './api/nodes.js';
import { overviewRoutes } from './api/overview.js';
import { parameterRoutes } from './api/parameters.js';
import { permissionRoutes } from './api/permissions.js';
import { policyRoutes } from './api/policies.js';
import { publishRoutes } from './api/publish.js';
import { queueRoutes } from './api/queues.js';
import { topicPermissionRoutes } from './api/topic-permissions.js';
import { userRoutes } from './api/users.js';
import { vhostRoutes } from './api/vhosts.js';
import { whoamiRoutes } from './api/whoami.js';
import type { ManagementOptions } from './options.js';
import type { Route } from './route.js';
import { Said } from './said.js';

/** The whole API. A new endpoint is a line in one of these, or a file beside them and a line here. */
export function allRoutes(options: ManagementOptions, log: Log): readonly Route[] {
  const said = new Said(log);
  return [
    ...overviewRoutes(options),
    ...factRoutes,
    ...nodeRoutes(options),
    ...whoamiRoutes,
    ...vhostRoutes,
    ...userRoutes,
    ...permissionRoutes,
    ...topicPermissionRoutes,
    ...queueRoutes,
    ...getRoutes,
    ...exchangeRoutes,
    ...publishRoutes(options.form),
    ...bindingRoutes,
    ...policyRoutes,
    ...parameterRoutes(said),
    ...limitRoutes,
    ...connectionRoutes,
    ...channelRoutes,
    ...consumerRoutes,
    ...definitionRoutes(said),
    ...healthRoutes(options),
  ];
}
