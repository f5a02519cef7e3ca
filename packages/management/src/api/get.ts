import { isUtf8 } from 'node:buffer';
import type { Consumer, Delivery, DeliverySink, JsonValue, Message, Outcome, SharedQueue } from '@chapar/core';
import type { Call } from '../call.js';
import type { Row } from '../json/counters.js';
import { shownArguments } from '../json/shown.js';
import { Pace } from '../pace.js';
import { badRequest } from '../problem.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';

export const getRoutes: readonly Route[] = [
  {
    path: '/api/queues/:vhost/:queue/get',
    summary:
      'Takes messages: `count`, `ackmode` (`ack_requeue_true`, `ack_requeue_false`, `reject_requeue_true`, `reject_requeue_false`), `encoding` (`auto` or `base64`), `truncate`',
    POST: { need: 'vhost', answer: get },
  },
];

/** What becomes of the messages once they were looked at; null: they are settled by being taken. */
const outcomes: ReadonlyMap<string, Outcome | null> = new Map([
  ['ack_requeue_true', 'release'],
  ['ack_requeue_false', null],
  ['reject_requeue_true', 'release'],
  ['reject_requeue_false', 'reject'],
]);

/** An answer holds about this many bytes of payload at most; whoever wants more asks again. */
const payloadBytesMax = 32 * 1024 * 1024;

interface Wish {
  readonly count: number;
  readonly outcome: Outcome | null;
  readonly base64: boolean;
  readonly truncateBytes: number;
}

async function get(call: Call): Promise<Reply> {
  const wish = readWish(call);
  const actor = await call.actor();
  const queue = await actor.readQueue(call.part('queue'));
  return ok(await take(call, queue, wish));
}

function readWish({ body }: Call): Wish {
  body.require('count', 'ackmode', 'encoding');
  const mode = body.text('ackmode', '');
  const outcome = outcomes.get(mode);
  if (outcome === undefined) {
    throw badRequest(`Invalid ackmode value: ${mode}. Valid values are: ${[...outcomes.keys()].join(', ')}`);
  }
  const encoding = body.text('encoding', '');
  if (encoding !== 'auto' && encoding !== 'base64') {
    throw badRequest('Unsupported encoding. Please use auto or base64.');
  }
  const count = body.integer('count', 0);
  if (count < 0) throw badRequest('count must not be negative');
  const truncateBytes = body.has('truncate') ? Math.max(0, body.integer('truncate', 0)) : Number.POSITIVE_INFINITY;
  return { count, outcome, base64: encoding === 'base64', truncateBytes };
}

async function take(call: Call, queue: SharedQueue, wish: Wish): Promise<JsonValue[]> {
  const pace = new Pace(call.broker.platform.clock);
  // What is given back is given back at the end: else the same message would come again and again.
  const holder = wish.outcome === null ? null : queue.holder(holderSpec, nobody);
  const held: Delivery[] = [];
  const rows: JsonValue[] = [];
  let payloadBytes = 0;
  try {
    while (rows.length < wish.count && payloadBytes < payloadBytesMax) {
      const got = await queue.get(holder);
      if (got === null) break;
      if (got.delivery !== null) held.push(got.delivery);
      const payload = got.message.body();
      payloadBytes += Math.min(payload.length, wish.truncateBytes);
      rows.push(messageJson(call, got.message, payload, got.redelivered, got.ready, wish));
      if (pace.isDue) await pace.rest();
    }
    for (const delivery of held) holder!.settle(delivery, wish.outcome!);
  } finally {
    holder?.detach();
  }
  return rows;
}

const holderSpec = {
  tag: 'management',
  acknowledges: true,
  exclusive: false,
  priority: 0,
  arguments: {},
  window: null,
};

/** Messages are taken one by one; nothing is ever pushed here. */
const nobody: DeliverySink = {
  deliver: (_consumer: Consumer) => true,
  detached: () => undefined,
};

function messageJson(
  call: Call,
  message: Message,
  payload: Buffer,
  redelivered: boolean,
  messageCount: number,
  wish: Wish,
): Row {
  const shown = payload.length > wish.truncateBytes ? payload.subarray(0, wish.truncateBytes) : payload;
  const asText = !wish.base64 && isUtf8(shown);
  const properties = call.broker.dialects.describe(message);
  return {
    payload_bytes: payload.length,
    redelivered,
    exchange: message.address.exchange,
    routing_key: message.address.routingKey,
    message_count: messageCount,
    // No properties are an empty list in the field.
    properties: Object.keys(properties).length === 0 ? [] : shownArguments(properties),
    payload: shown.toString(asText ? 'utf8' : 'base64'),
    payload_encoding: asText ? 'string' : 'base64',
  };
}
