// The way from the protocol header to connection.open-ok (AMQP 0-9-1 §2.2.4).
import { type Actor, type BrokerError, brokerError, type LoginResult, type Principal } from '@chapar/core';
import {
  decodeTable,
  type FieldTable,
  FRAME_MIN_SIZE,
  isFieldTable,
  type Method,
  type MethodInput,
  type MethodOf,
} from './codec/index.js';
import type { DoorParts } from './door.js';

/** What was agreed on. Bytes, seconds; 0 heartbeat: none. */
export interface Agreement {
  readonly channelsMax: number;
  readonly frameBytesMax: number;
  readonly heartbeatSeconds: number;
}

/** What the handshake asks of its connection. */
export interface HandshakePeer {
  readonly loopback: boolean;
  readonly peerName: string;
  /** The user that the verified client certificate names; null without one. */
  readonly certificateUser: string | null;
  send(method: MethodInput): void;
  /** The vhost is entered: the connection is open. */
  opened(actor: Actor): void;
  agreed(agreement: Agreement): void;
  /** Ends the connection without a word: what clients without `authentication_failure_close` expect of a failed login. */
  hangUp(): void;
}

type Step = 'start-ok' | 'secure-ok' | 'tune-ok' | 'open' | 'done';

const capabilities: FieldTable = Object.assign(Object.create(null), {
  publisher_confirms: true,
  exchange_exchange_bindings: true,
  'basic.nack': true,
  consumer_cancel_notify: true,
  'connection.blocked': true,
  consumer_priorities: true,
  authentication_failure_close: true,
  per_consumer_qos: true,
  direct_reply_to: true,
});

/** One connection's handshake; forgotten when it is done. */
export class Handshake {
  clientProperties: FieldTable = Object.create(null);
  mechanism = '';
  private readonly parts: DoorParts;
  private readonly peer: HandshakePeer;
  private readonly owner: object;
  private step: Step = 'start-ok';
  private principal: Principal | null = null;

  constructor(parts: DoorParts, peer: HandshakePeer, owner: object) {
    this.parts = parts;
    this.peer = peer;
    this.owner = owner;
  }

  /** Called when the protocol header was right. */
  start(): void {
    const { identity } = this.parts.broker;
    const serverProperties: FieldTable = Object.assign(Object.create(null), {
      product: identity.product,
      version: identity.productVersion,
      rabbitmq_version: identity.productVersion,
      chapar_version: identity.version,
      platform: `Node.js ${process.version}`,
      copyright: 'The Chapar authors',
      information: 'Licensed under the Apache License 2.0',
      cluster_name: identity.clusterName,
      node: identity.node,
      capabilities,
    });
    const mechanisms = this.peer.certificateUser === null ? 'PLAIN AMQPLAIN' : 'PLAIN AMQPLAIN EXTERNAL';
    this.peer.send({
      name: 'connection.start',
      versionMajor: 0,
      versionMinor: 9,
      serverProperties,
      mechanisms,
      locales: 'en_US',
    });
  }

  /** Each method of the handshake in its turn; 503 out of turn. */
  async receive(method: Method): Promise<void> {
    if (method.name !== `connection.${this.step}`) {
      throw brokerError('unexpectedMethod', { method: method.name, when: `before connection.${this.step}` });
    }
    if (method.name === 'connection.start-ok') await this.login(method);
    else if (method.name === 'connection.tune-ok') this.tune(method);
    else if (method.name === 'connection.open') await this.open(method);
  }

  /** True when the client said that it understands `name`. */
  clientHas(name: string): boolean {
    const claimed = this.clientProperties['capabilities'];
    return isFieldTable(claimed) && claimed[name] === true;
  }

  private async login(method: MethodOf<'connection.start-ok'>): Promise<void> {
    this.clientProperties = method.clientProperties;
    this.mechanism = method.mechanism;
    // Nothing else is expected until the answer is there.
    this.step = 'secure-ok';
    const result = await this.authenticate(method.mechanism, method.response);
    if (!result.ok) {
      this.refuse(method.mechanism, result.reason);
      return;
    }
    this.principal = result.principal;
    this.step = 'tune-ok';
    const { node } = this.parts.broker.limits;
    this.peer.send({
      name: 'connection.tune',
      channelMax: node.channelsMax,
      frameMax: node.frameBytesMax,
      heartbeat: node.heartbeatSeconds,
    });
  }

  private async authenticate(mechanism: string, response: Buffer): Promise<LoginResult> {
    const { authenticator } = this.parts.broker;
    const { loopback, peerName, certificateUser } = this.peer;
    const context = { loopback, peer: peerName };
    if (mechanism === 'EXTERNAL' && certificateUser !== null) return authenticator.external(certificateUser, context);
    const credentials = readCredentials(mechanism, response);
    if (credentials === null) return { ok: false, reason: `malformed ${mechanism} response` };
    return authenticator.password(credentials.user, credentials.password, context);
  }

  private refuse(mechanism: string, reason: string): void {
    const { peerName } = this.peer;
    this.parts.log.warn({ peer: peerName, mechanism, reason }, `login refused: ${reason}`);
    if (this.clientHas('authentication_failure_close')) throw brokerError('loginRefused', { mechanism });
    this.peer.hangUp();
  }

  private tune(method: MethodOf<'connection.tune-ok'>): void {
    const { node } = this.parts.broker.limits;
    const { channelMax, frameMax, heartbeat } = method;
    if (channelMax > node.channelsMax)
      throw tuneRefused('channel_max', channelMax, 'higher', 'maximum', node.channelsMax);
    if (frameMax > node.frameBytesMax)
      throw tuneRefused('frame_max', frameMax, 'higher', 'maximum', node.frameBytesMax);
    if (frameMax !== 0 && frameMax < FRAME_MIN_SIZE) {
      throw tuneRefused('frame_max', frameMax, 'lower', 'minimum', FRAME_MIN_SIZE);
    }
    this.step = 'open';
    this.peer.agreed({
      channelsMax: channelMax === 0 ? node.channelsMax : channelMax,
      frameBytesMax: frameMax === 0 ? node.frameBytesMax : frameMax,
      heartbeatSeconds: heartbeat,
    });
  }

  private async open({ virtualHost }: MethodOf<'connection.open'>): Promise<void> {
    this.step = 'done';
    const actor = await this.parts.broker.enter(this.principal!, virtualHost, this.owner);
    this.peer.send({ name: 'connection.open-ok' });
    this.peer.opened(actor);
  }
}

function tuneRefused(what: string, value: number, relation: string, bound: string, limit: number): BrokerError {
  return brokerError('tuneRefused', { what, value, relation, bound, limit });
}

/** PLAIN (RFC 4616): `[authzid] NUL user NUL password`; AMQPLAIN: a table without its length, LOGIN and PASSWORD. */
function readCredentials(mechanism: string, response: Buffer): { user: string; password: string } | null {
  if (mechanism === 'PLAIN') {
    const first = response.indexOf(0);
    const second = response.indexOf(0, first + 1);
    if (first === -1 || second === -1) return null;
    return { user: response.toString('utf8', first + 1, second), password: response.toString('utf8', second + 1) };
  }
  if (mechanism === 'AMQPLAIN') {
    const { LOGIN: user, PASSWORD: password } = decodeTable(response);
    return typeof user === 'string' && typeof password === 'string' ? { user, password } : null;
  }
  throw brokerError('unknownMechanism', { mechanism });
}
