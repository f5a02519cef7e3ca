// From CONNECT to CONNACK (§3.1.4, §3.2).
import {
  type Actor,
  certificateUser,
  type LoginResult,
  type Message,
  type Principal,
  Publisher,
  type Target,
} from '@chapar/core';
import { connack } from './codec/answers.js';
import { type Connect, sessionNeverExpires, type WillWish } from './codec/connect.js';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { Connection } from './connection.js';
import type { Session } from './session.js';
import { topicKey } from './targets.js';
import { silentSink, Will } from './will.js';

/** A client identifier has to leave room for the name of the session's queue. Bytes. */
const clientIdBytesMax = 220;

/** What a connection goes on with. */
export interface Opened {
  readonly session: Session;
  readonly actor: Actor;
  readonly answer: Buffer;
  readonly keepAliveSeconds: number;
  /** Called when CONNACK is on its way. */
  begin(): void;
}

/** Decides about a CONNECT. Null: the connection went meanwhile. Throws MqttError and BrokerError: the connection is refused. */
export async function openSession(connection: Connection, connect: Connect): Promise<Opened | null> {
  const { door } = connection;
  // [MQTT-4.12.0-1]
  if (connect.authMethod !== null)
    throw new MqttError(REASON.badAuthMethod, 'there is no enhanced authentication here');
  if (door.isStopping) throw new MqttError(REASON.serverShuttingDown, 'the broker is stopping');
  connection.admit();
  const assigned = connect.clientId === '';
  const clientId = assigned ? assignedId(connection, connect) : checkedId(connect.clientId);
  const { vhost, user } = credentials(connection, connect);
  const principal = await login(connection, connect, user);
  if (connection.isOver) return null;
  const actor = await door.broker.enter(principal, vhost, connection);
  const will = connect.will === null ? null : await allowedWill(connection, actor, connect.will);
  const expirySeconds = door.boundedExpiry(connect.sessionExpirySeconds);
  const { session, isPresent } = await door.sessions.open(connection, actor, {
    clientId,
    cleanStart: connect.cleanStart,
    expirySeconds,
    will,
  });
  if (connection.isOver) {
    door.sessions.abandoned(session, connection);
    return null;
  }
  session.isBridge = connect.isBridge;
  const keepAliveSeconds = boundedKeepAlive(connect, door.settings.keepAliveSecondsMax);
  const answer = accepted(connection, connect, isPresent, assigned ? clientId : null, keepAliveSeconds, expirySeconds);
  session.wasFound = isPresent;
  return { session, actor, answer, keepAliveSeconds, begin: () => door.sessions.connected(session) };
}

/** [MQTT-3.1.3-6], [MQTT-3.1.3-7]; before 5.0 only for sessions that are clean ([MQTT-3.1.3-8] of 3.1.1), in 3.1 never. */
function assignedId(connection: Connection, { version, cleanStart }: Connect): string {
  if (version === 3 || (version === 4 && !cleanStart))
    throw new MqttError(REASON.clientIdInvalid, 'a client identifier is needed');
  return `auto-${connection.door.broker.platform.random.bytes(12).toString('base64url')}`;
}

function checkedId(clientId: string): string {
  if (Buffer.byteLength(clientId) <= clientIdBytesMax) return clientId;
  throw new MqttError(REASON.clientIdInvalid, `a client identifier has at most ${clientIdBytesMax} bytes`);
}

/** `vhost:user`; what stands before the last colon is the virtual host. */
function credentials({ door }: Connection, { username }: Connect): { vhost: string; user: string | null } {
  const { vhost } = door.settings;
  if (username === null) return { vhost, user: null };
  const colon = username.lastIndexOf(':');
  return colon === -1
    ? { vhost, user: username }
    : { vhost: username.slice(0, colon), user: username.slice(colon + 1) };
}

async function login(connection: Connection, { password }: Connect, user: string | null): Promise<Principal> {
  const { authenticator } = connection.door.broker;
  const { anonymousUser } = connection.door.settings;
  const context = { loopback: connection.loopback, peer: connection.name };
  let result: LoginResult;
  const certified = user === null ? certifiedUser(connection) : null;
  if (certified !== null) result = await authenticator.external(certified, context);
  else if (user !== null) result = await authenticator.password(user, password?.toString('utf8') ?? '', context);
  else if (anonymousUser !== null) result = await authenticator.external(anonymousUser, context);
  else result = { ok: false, reason: 'no user name, and clients without are not let in' };
  if (result.ok) return result.principal;
  connection.door.log.warn({ peer: connection.name, reason: result.reason }, `login refused: ${result.reason}`);
  throw new MqttError(user === null ? REASON.notAuthorized : REASON.badCredentials, 'login was refused');
}

/** Who a client without a user name is by its certificate; null without one. */
function certifiedUser({ tls, door }: Connection): string | null {
  const certificate = tls?.peerCertificate ?? null;
  return certificate === null ? null : certificateUser(certificate, door.settings.certificateLogin);
}

/** The will is judged now, not when nobody is there any more to be told. */
async function allowedWill({ door }: Connection, actor: Actor, wish: WillWish): Promise<Will> {
  const { messageBytesMax } = door.broker.limits.node;
  if (wish.payload.length > messageBytesMax)
    throw new MqttError(
      REASON.packetTooLarge,
      `a will of ${wish.payload.length} bytes; at most ${messageBytesMax} are taken`,
    );
  const publisher = new Publisher(actor, door.broker.turn, silentSink);
  const target: Target = await publisher.target(door.settings.exchange, topicKey(wish.topic));
  const send = (message: Message): void => publisher.publish(target, message, false, false);
  return new Will(wish, actor.vhost.name, target.address, send);
}

/** Who cannot be told of another one keeps its own. */
function boundedKeepAlive({ version, keepAliveSeconds: asked }: Connect, max: number): number {
  if (version !== 5) return asked;
  return max > 0 && (asked === 0 || asked > max) ? max : asked;
}

function accepted(
  connection: Connection,
  connect: Connect,
  isPresent: boolean,
  assignedClientIdentifier: string | null,
  keepAliveSeconds: number,
  expirySeconds: number,
): Buffer {
  const { topicAliasMaximum } = connection.door.settings;
  const { receiveMaximum } = connection.listener.limits;
  const asked = connect.sessionExpirySeconds;
  const granted = expirySeconds === Number.POSITIVE_INFINITY ? sessionNeverExpires : expirySeconds;
  const properties = {
    ...(receiveMaximum === 65_535 ? {} : { receiveMaximum }),
    maximumPacketSize: connection.frameBytesMax,
    topicAliasMaximum,
    ...(assignedClientIdentifier === null ? {} : { assignedClientIdentifier }),
    ...(keepAliveSeconds === connect.keepAliveSeconds ? {} : { serverKeepAlive: keepAliveSeconds }),
    ...(granted === asked ? {} : { sessionExpiryInterval: granted }),
  };
  return connack(connect.version, REASON.success, isPresent, properties)!;
}
