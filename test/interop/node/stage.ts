import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Broker } from '../broker.js';
import type { Client, Library, Received } from './client.js';

/** What a scenario has at hand. Connections made by `connect` are closed at its end. */
export interface Stage {
  broker: Broker;
  connect(login?: { user: string; password: string }): Promise<Client>;
  /** Consumes with a handler that may take its time; the scenario's end waits for it. */
  serve(client: Client, queue: string, handler: (message: Received) => Promise<void>): Promise<void>;
  /** Makes names of queues and exchanges its own. */
  own(name: string): string;
}

export type Scenario = (stage: Stage) => Promise<void>;

export async function play(scenario: Scenario, library: Library, broker: Broker): Promise<void> {
  const clients: Client[] = [];
  const underWay = new Set<Promise<void>>();
  const stage: Stage = {
    broker,
    own: (name) => `${library.name}.${name}`,
    async connect(login) {
      const url = new URL(broker.url);
      if (login) Object.assign(url, { username: login.user, password: login.password });
      const client = await library.connect(url.href);
      clients.push(client);
      return client;
    },
    async serve(client, queue, handler) {
      await client.consume(queue, {}, (message) => underWay.add(handler(message)));
    },
  };
  try {
    await scenario(stage);
    await Promise.all(underWay);
  } finally {
    for (const client of clients) await client.close().catch(() => {});
  }
}

/** Runs `attempt` on a channel of its own, which the broker is expected to close. */
export async function expectRefusal(client: Client, text: RegExp, attempt: (channel: Client) => Promise<unknown>) {
  const channel = await client.channel();
  await expect(attempt(channel)).rejects.toThrow(text);
}

/** Deletions by the broker that follow a lost connection take a moment. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not happen within 10 s');
    await sleep(50);
  }
}
