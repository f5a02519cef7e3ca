import type { Later } from '../later.js';
import type { EffectivePolicy } from '../policy/effective-policy.js';
import type { Guard, Incarnation, JsonValue, Write } from '../ports.js';
import type { Queue } from '../queue/queue.js';
import type { QueueHandle } from '../queue/queue-handle.js';
import type { QueueProperties } from '../queue/queue-properties.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import type { Heir } from '../queue/succession.js';
import type { Binding } from '../routing/binding.js';
import type { KeyedReader, SharedKeyedLog } from '../shared-keyed-log.js';
import type { BindingRequest } from './bind.js';
import type { VirtualHost } from './virtual-host.js';

/**
 * Where things live in a cluster, asked by the topology of each node; implemented by the cluster. A node alone has none: everything
 * lives there.
 */
export interface Residence {
  /** This node as records name it: the data id of its directory. */
  readonly here: string;
  /** This process of the node; after a start it is another one. */
  readonly process: string;
  /** Whether that process takes part, or will again when it is reached; false when it never will. */
  isProcessThere(process: string): boolean;
  /** Stands in the names that this node makes (server-named queues, reply addresses), so that every node knows where they lead. */
  readonly tag: string;
  /** The data id of the node where a durable queue that is declared here shall live. */
  place(properties: QueueProperties): string;
  /** Which nodes shall have copies of a queue that is declared here, by its arguments and policy; null: it lives in one place. */
  mirrored(properties: QueueProperties, policy: EffectivePolicy): Mirroring | null;
  /** The face of a mirrored queue on this node, wherever it is led. */
  face(properties: QueueProperties): SharedQueue;
  /** The queue, which lived in one place, is mirrored now: what stands in its place on this node; null: it is that already. */
  succeeded(queue: SharedQueue): Heir | null;
  /** What goes from metadata with the record of a mirrored queue. */
  companions(queue: Pick<SharedQueue, 'incarnation'>): readonly Write[];
  /** A queue that lives elsewhere. `home`: a data id. */
  elsewhere(properties: QueueProperties, home: string): SharedQueue;
  /** Reserves the name of a queue of this node that no record holds. False: somebody else has it. */
  claim(vhost: string, name: string, incarnation: Incarnation): Promise<boolean>;
  /** A queue of this node that no record holds came or went, or a binding to one: the other nodes learn of it. */
  queueAdded(queue: Queue): void;
  queueDropped(queue: Queue): void;
  bindingAdded(vhost: VirtualHost, binding: Binding): void;
  bindingDropped(vhost: VirtualHost, binding: Binding): void;
  /** An exchange leads to a buffer-less end of this node, or leads there no more: the other nodes learn what such ends want to hear. */
  endBound(vhost: VirtualHost, binding: Binding): void;
  endUnbound(vhost: VirtualHost, binding: Binding): void;
  /** Every node that can be reached knows what was announced and written so far; soon answered for those that are slow. */
  seen(): Later<void>;
  /** Has the home of a queue that no record holds bind or unbind it. Rejects with what `bind` throws there. */
  bindAtHome(queue: SharedQueue, request: BindingRequest): Promise<void>;
  unbindAtHome(queue: SharedQueue, request: BindingRequest): Promise<void>;
  /** Has a queue's home delete it; resolves with the number of messages that went with it. */
  deleteAtHome(
    queue: SharedQueue,
    conditions: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
  ): Promise<number>;
  /** Where a routing key of the default exchange leads that names nothing here: a buffer-less end (direct reply-to) of another node; null: nowhere. */
  directEnd(vhost: VirtualHost, routingKey: string): QueueHandle | null;
  /** Whether that end is there. */
  hasDirectEnd(vhost: VirtualHost, routingKey: string): Promise<boolean>;
  /** Answers what this node's part asks of those on other nodes; `kind` names the question. */
  answer(kind: string, answerer: (body: JsonValue) => Later<JsonValue>): void;
  /** Asks one node, by its data id; rejects when it cannot be asked. */
  ask(node: string, kind: string, body: JsonValue): Promise<JsonValue>;
  /** Asks every other node of the cluster; rejects when one of them, be it gone or not linked, cannot be asked. */
  askAll(kind: string, body: JsonValue): Promise<readonly JsonValue[]>;
  /** Opens a keyed log of the cluster; the reader has by then what this node's disk has of it. */
  keyedLog(name: string, reader: KeyedReader): Promise<SharedKeyedLog>;
  /** Whether this node has known of what is gone from metadata by now: its messages may go, too. What it never heard of is set aside. */
  hasKnown(incarnation: Incarnation): boolean;
}

/** What is written with the record of a mirrored queue. */
export interface Mirroring {
  readonly guards: readonly Guard[];
  readonly writes: readonly Write[];
}

/** Who owns an exclusive queue that lives elsewhere: none of this node's connections. */
export const ownerElsewhere: object = { elsewhere: true };
