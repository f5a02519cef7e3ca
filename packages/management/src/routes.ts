import { bindingRoutes } from './api/bindings.js';
import { exchangeRoutes } from './api/exchanges.js';
import { healthRoutes } from './api/health.js';
import { overviewRoutes } from './api/overview.js';
import { queueRoutes } from './api/queues.js';
import { userRoutes } from './api/users.js';
import { vhostRoutes } from './api/vhosts.js';
import { whoamiRoutes } from './api/whoami.js';
import type { ManagementOptions } from './options.js';
import type { Route } from './route.js';

/** The whole API. A new endpoint is a line in one of these, or a file beside them and a line here. */
export function allRoutes(options: ManagementOptions): readonly Route[] {
  return [
    ...overviewRoutes(options),
    ...whoamiRoutes,
    ...vhostRoutes,
    ...userRoutes,
    ...queueRoutes,
    ...exchangeRoutes,
    ...bindingRoutes,
    ...healthRoutes(options),
  ];
}
