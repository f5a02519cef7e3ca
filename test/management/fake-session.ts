import type { SessionView } from '@chapar/core';

/** A session as a door would show it. `onEnd` hears the reason. */
export function fakeSession(
  vhost: string,
  clientId: string,
  user: string,
  onEnd: (reason: string) => void,
  more: Partial<SessionView> = {},
): SessionView {
  return {
    vhost,
    clientId,
    user,
    connection: null,
    expirySeconds: 60,
    disconnectedAtMs: 1000,
    subscriptionCount: 1,
    subscriptions: [{ filter: 'a/#', qos: 1 }],
    queue: `mqtt-subscription-${clientId}qos1`,
    end: async (reason) => onEnd(reason),
    ...more,
  };
}
