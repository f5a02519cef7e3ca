import { ok } from '../reply.js';
import type { Route } from '../route.js';

export const whoamiRoutes: readonly Route[] = [
  {
    path: '/api/whoami',
    summary: 'Name and tags of the caller',
    GET: { need: 'management', answer: ({ caller }) => ok({ name: caller.user, tags: caller.principal.tags }) },
  },
];
