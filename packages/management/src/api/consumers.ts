import type { Call } from '../call.js';
import { consumerKind } from '../cluster/connection-kinds.js';
import type { Peers } from '../cluster/peers.js';
import { everywhere, listScattered } from '../cluster/scattered.js';
import type { Reply } from '../reply.js';
import type { Route } from '../route.js';

export function consumerRoutes(peers: Peers): readonly Route[] {
  const getAll = async (call: Call): Promise<Reply> => {
    const vhosts = (await call.virtualHosts()).map(({ name }) => name);
    return listScattered(call, peers, consumerKind, { ...everywhere, vhosts });
  };
  return [
    { path: '/api/consumers', summary: 'Consumers', GET: { need: 'management', answer: getAll } },
    { path: '/api/consumers/:vhost', summary: 'Consumers in a virtual host', GET: { need: 'vhost', answer: getAll } },
  ];
}
