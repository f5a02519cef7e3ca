import { ok } from '../reply.js';
import type { Endpoint, Route } from '../route.js';

/** Small answers that tools ask for. */
export const factRoutes: readonly Route[] = [
  {
    path: '/api/cluster-name',
    summary: 'The name of the cluster; it is set by `node.clusterName` of the configuration',
    GET: { need: 'management', answer: ({ broker }) => ok({ name: broker.identity.clusterName }) },
  },
  {
    path: '/api/version',
    summary: 'The version that clients are told, as a JSON string. No password',
    GET: { need: 'nothing', answer: ({ broker }) => ok(broker.identity.productVersion) },
  },
  {
    path: '/api/auth',
    summary: 'How the UI logs in. No password',
    GET: { need: 'nothing', answer: () => ok({ oauth_enabled: false, enable_uaa: false }) },
  },
  {
    path: '/api/auth/hash_password/:password',
    summary: 'A salted hash for `password_hash`, in the field’s sha256 form',
    GET: {
      need: 'administrator',
      answer: (call) => ok({ ok: call.broker.users.fieldHash(call.part('password')) }),
    },
  },
  { path: '/api/extensions', summary: 'Extensions of the UI: none', GET: none() },
  { path: '/api/feature-flags', summary: 'None: nothing has to be enabled before an upgrade', GET: none() },
  { path: '/api/deprecated-features', summary: 'None', GET: none() },
  { path: '/api/deprecated-features/used', summary: 'None', GET: none() },
];

function none(): Endpoint {
  return { need: 'management', answer: () => ok([]) };
}
