import type { SessionView, SubscriptionView } from '@chapar/core';
import type { MqttDoor } from './door.js';
import type { Session } from './session.js';
import { sessionName } from './session-keys.js';

/** The door's sessions for administrators; nothing is made until somebody looks. */
export class SessionViews implements Iterable<SessionView> {
  private readonly door: MqttDoor;

  constructor(door: MqttDoor) {
    this.door = door;
  }

  *[Symbol.iterator](): Generator<SessionView> {
    for (const session of this.door.sessions) yield new View(this.door, session);
  }
}

class View implements SessionView {
  private readonly door: MqttDoor;
  private readonly session: Session;

  constructor(door: MqttDoor, session: Session) {
    this.door = door;
    this.session = session;
  }

  get vhost(): string {
    return this.session.vhost.name;
  }

  get clientId(): string {
    return this.session.clientId;
  }

  get user(): string {
    return this.session.user;
  }

  get connection(): string | null {
    return this.session.connection?.name ?? null;
  }

  get expirySeconds(): number {
    return this.session.expirySeconds;
  }

  get disconnectedAtMs(): number {
    return this.session.disconnectedAtMs;
  }

  get subscriptionCount(): number {
    return this.session.subscriptions.size + this.session.shares.size;
  }

  get subscriptions(): Iterable<SubscriptionView> {
    return [...this.session.subscriptions, ...this.session.shares.values()];
  }

  get queue(): string | null {
    return this.session.queue?.name ?? null;
  }

  async end(reason: string): Promise<void> {
    const { door, session } = this;
    const { sessions } = door;
    await sessions.inTurn(sessionName(this.vhost, this.clientId), async () => {
      session.connection?.close(reason);
      await sessions.end(session);
    });
  }
}
