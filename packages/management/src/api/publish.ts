import {
  type Actor,
  type Address,
  type Arguments,
  BrokerError,
  brokerError,
  type Exchange,
  Message,
  Publisher,
  type Refusal,
  type Target,
} from '@chapar/core';
import type { Call } from '../call.js';
import type { Fields } from '../fields.js';
import type { EncodedProperties, MessageForm } from '../form.js';
import { badRequest, Problem, refusing } from '../problem.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { shortText } from '../short-text.js';
import { exchangeOf } from './exchanges.js';

/** How long a publish may wait for its confirm, milliseconds. */
const confirmTimeoutMs = 15_000;

/** Base64 takes four characters for three bytes, and JSON some more around them. */
const bodyBytesMax = 24 * 1024 * 1024;

export function publishRoutes(form: MessageForm): readonly Route[] {
  return [
    {
      path: '/api/exchanges/:vhost/:exchange/publish',
      summary:
        'Publishes: `properties`, `routing_key`, `payload`, `payload_encoding` (`string` or `base64`); answers `routed` when confirmed',
      POST: { need: 'vhost', bodyBytesMax, answer: (call) => publish(call, form) },
    },
  ];
}

async function publish(call: Call, form: MessageForm): Promise<Reply> {
  const { body } = call;
  const exchange = exchangeOf(call);
  body.require('routing_key', 'properties', 'payload', 'payload_encoding');
  const payload = readPayload(body);
  const { messageBytesMax: bytesMax } = call.broker.limits.node;
  if (payload.length > bytesMax) throw brokerError('messageTooLarge', { bytes: payload.length, bytesMax });
  const actor = await call.actor();
  const properties = body.table('properties');
  assertUser(actor, properties);
  const { kept, keys } = takeKeys(properties);
  const encoded = await refusing(() => form.encode(kept));
  const sending = new Sending(call, actor);
  const targets = await sending.targets(exchange, [body.text('routing_key', ''), ...keys]);
  return ok({ routed: await sending.send(targets, messageOf(form, targets[0]!.address, encoded, payload)) });
}

function readPayload(body: Fields): Buffer {
  const encoding = body.text('payload_encoding', '');
  const payload = body.value('payload');
  if (typeof payload !== 'string') throw badRequest('payload_not_string');
  if (encoding === 'string') return Buffer.from(payload, 'utf8');
  if (encoding !== 'base64')
    throw badRequest(`unsupported_encoding: payload_encoding must be string or base64, got '${encoding}'`);
  const bytes = Buffer.from(payload, 'base64');
  // The engine skips what it does not know; a payload that was cut or mangled must not be published.
  if (/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(payload)) return bytes;
  throw badRequest('payload is not base64');
}

/** As AMQP does it: a message claims its own user, or nobody, unless the user may impersonate others. */
function assertUser({ principal: { user, tags } }: Actor, properties: Arguments): void {
  const given = properties['user_id'];
  if (given === undefined || given === user || tags.includes('impersonator')) return;
  throw brokerError('userIdMismatch', { given: String(given), user });
}

/** Further routing keys (sender-selected distribution): `CC` stays in the message, `BCC` does not. */
function takeKeys(properties: Arguments): { kept: Arguments; keys: string[] } {
  const headers = properties['headers'];
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return { kept: properties, keys: [] };
  const { BCC: blind, ...others } = headers as Arguments;
  const keys = [others['CC'], blind].flatMap((value) => (Array.isArray(value) ? value : []));
  const texts = keys.filter((key): key is string => typeof key === 'string');
  return { kept: blind === undefined ? properties : { ...properties, headers: others }, keys: texts };
}

function messageOf(form: MessageForm, address: Address, encoded: EncodedProperties, payload: Buffer): Message {
  const { properties, persistent, priority, expirationMs } = encoded;
  const { length } = properties;
  const bytes = Buffer.concat([properties, payload]);
  return new Message(
    address,
    form.dialect,
    persistent,
    priority,
    expirationMs,
    bytes,
    0,
    length,
    length,
    bytes.length,
    null,
    payload.length,
  );
}

/** One message on its way: returned or not, then confirmed or refused. */
class Sending {
  private readonly call: Call;
  private readonly publisher: Publisher;
  private routed = true;
  private settle: (refusal: Refusal | null) => void = () => undefined;

  constructor(call: Call, actor: Actor) {
    this.call = call;
    this.publisher = new Publisher(actor, call.broker.turn, {
      confirmed: () => this.settle(null),
      confirmedAlone: () => this.settle(null),
      refused: (_tag, why) => this.settle(why),
      returned: () => {
        this.routed = false;
      },
    });
  }

  /** Where it goes; checked as a connection's publishes are, one key after the other. */
  async targets(exchange: Exchange, keys: readonly string[]): Promise<Target[]> {
    const targets: Target[] = [];
    for (const key of keys) targets.push(await this.target(exchange, key));
    return targets;
  }

  private async target(exchange: Exchange, key: string): Promise<Target> {
    shortText('a routing key', key);
    try {
      return await this.publisher.target(exchange.name, key);
    } catch (error) {
      // The field answers 400 here: nobody could be allowed to.
      if (error instanceof BrokerError && error.key === 'internalExchange') throw badRequest(`403 ${error.message}`);
      throw error;
    }
  }

  /** Resolves with whether a queue took it, once it is confirmed. */
  async send(targets: readonly Target[], message: Message): Promise<boolean> {
    const verdict = new Promise<Refusal | null>((resolve) => {
      this.settle = resolve;
    });
    if (targets.length === 1) this.publisher.publish(targets[0]!, message, true, true);
    else this.publisher.publishMany(targets, message, true, true);
    const refusal = await this.withTimeout(verdict);
    if (refusal === null) return this.routed;
    if (refusal === 'queue-full') throw badRequest('rejected Unable to publish message. Check queue limits.');
    throw new Problem(503, 'service_unavailable', `the message was not taken: ${refusal}`);
  }

  private async withTimeout(verdict: Promise<Refusal | null>): Promise<Refusal | null> {
    const { clock } = this.call.broker.platform;
    const late = new Promise<'late'>((resolve) => clock.after(confirmTimeoutMs, () => resolve('late')));
    const first = await Promise.race([verdict, late]);
    if (first !== 'late') return first;
    throw badRequest(
      'confirm_timeout Timed out waiting for a publisher confirm. The message may still have been enqueued.',
    );
  }
}
