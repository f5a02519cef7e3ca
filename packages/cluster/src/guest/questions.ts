import {
  type BindingRequest,
  bind,
  brokerError,
  type JsonValue,
  type Queue,
  removeQueue,
  type Topology,
  unbind,
  type VirtualHost,
} from '@chapar/core';
import { type QueueReference, queueOf } from '../peer/queue-reference.js';

export interface Question extends QueueReference {
  readonly kind: string;
  readonly body: JsonValue;
}

type Answer = (topology: Topology, vhost: VirtualHost, queue: Queue, body: JsonValue) => unknown;

/** What a queue's home is asked by other nodes, by kind; the permissions were looked at there. */
const answers: { readonly [kind: string]: Answer } = {
  counts: (_topology, _vhost, queue) => {
    queue.used();
    return queue.counts();
  },
  purge: (_topology, _vhost, queue) => queue.purge(),
  bind: (topology, vhost, _queue, body) => bind(topology, vhost, body as unknown as BindingRequest),
  unbind: (topology, vhost, _queue, body) => unbind(topology, vhost, body as unknown as BindingRequest),
  delete: (topology, vhost, queue, body) =>
    removeQueue(topology, vhost, queue, body as { readonly ifUnused: boolean; readonly ifEmpty: boolean }),
};

/** Rejects with BrokerError. */
export async function answerTo(topology: Topology, question: Question): Promise<JsonValue> {
  const { vhost: vhostName, name, kind, body } = question;
  const vhost = topology.vhosts.get(vhostName);
  const queue = queueOf(topology, question);
  if (vhost === undefined || queue === null) throw brokerError('queueNotFound', { queue: name, vhost: vhostName });
  const answer = answers[kind];
  if (answer === undefined) throw new Error(`this version of the broker does not know the question ${kind}`);
  return ((await answer(topology, vhost, queue, body)) ?? null) as JsonValue;
}
