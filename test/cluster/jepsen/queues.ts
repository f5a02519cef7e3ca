import type { BrokerNode } from '../broker-node.js';
import { Guest, until } from '../guest.js';
import type { Settings } from './settings.js';

/** Of numbers modulo this: so many priorities, and not as many as there are queues, so that each queue gets all of them. */
export const priorities = 3;

/** The names of all queues, and their arguments beside the type. */
export const queueArguments: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'line-1': {},
  'line-2': {},
  // So many that a queue whose consumers are away refuses some.
  short: { 'x-max-length': 300, 'x-overflow': 'reject-publish' },
  urgent: { 'x-max-priority': priorities - 1 },
};

export const queueNames = Object.keys(queueArguments);

/** Each declared on the next node. */
export async function declareQueues(nodes: readonly BrokerNode[], { queueType }: Settings): Promise<void> {
  for (const [i, name] of queueNames.entries()) {
    const guest = await Guest.at(nodes[i % nodes.length]!);
    const type = queueType === 'quorum' ? { 'x-queue-type': 'quorum' } : {};
    await guest.channel.assertQueue(name, { durable: true, arguments: { ...type, ...queueArguments[name] } });
    await guest.close();
  }
  // Whoever has not heard of one yet would end the channel of the first client that asks for it.
  for (const node of nodes) {
    const guest = await Guest.at(node);
    for (const name of queueNames) {
      await until(`${node.name} knows ${name}`, async () => {
        return (await guest.refusal((channel) => channel.checkQueue(name))) === 'it was allowed';
      });
    }
    await guest.close();
  }
}
