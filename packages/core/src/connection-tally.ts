import type { ConnectionView } from './inspect.js';

/** How many connections a node has, as the other nodes count them against limits of virtual hosts and users. A type, so that it is JSON. */
export type ConnectionTally = {
  readonly vhosts: { readonly [vhost: string]: number };
  readonly users: { readonly [user: string]: { readonly connections: number; readonly channels: number } };
};

export function tallyOf(connections: Iterable<ConnectionView>): ConnectionTally {
  const vhosts = new Map<string, number>();
  const users = new Map<string, { connections: number; channels: number }>();
  for (const { vhost, principal, channelCount } of connections) {
    vhosts.set(vhost, (vhosts.get(vhost) ?? 0) + 1);
    const { connections: others = 0, channels = 0 } = users.get(principal.user) ?? {};
    users.set(principal.user, { connections: others + 1, channels: channels + channelCount });
  }
  return { vhosts: Object.fromEntries(vhosts), users: Object.fromEntries(users) };
}
