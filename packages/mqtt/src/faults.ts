import { BrokerError } from '@chapar/core';
import { UnsupportedVersionError } from './codec/connect.js';
import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';
import type { MqttDoor } from './door.js';

/** The registry's errors as reason codes. */
const reasons: { readonly [key: string]: number } = {
  accessRefused: REASON.notAuthorized,
  topicAccessRefused: REASON.notAuthorized,
  vhostRefused: REASON.notAuthorized,
  vhostNotFound: REASON.badCredentials,
  connectionLimit: REASON.quotaExceeded,
  vhostConnectionLimit: REASON.quotaExceeded,
  userConnectionLimit: REASON.quotaExceeded,
  queueLimit: REASON.quotaExceeded,
  metadataUnavailable: REASON.serverUnavailable,
  consumerFenced: REASON.sessionTakenOver,
};

/** Whatever was thrown while working for a peer, as what the peer is told. A fault of ours is logged under a reference. */
export function faultOf(error: unknown, door: MqttDoor, peer: string): MqttError {
  if (error instanceof MqttError) return error;
  if (error instanceof UnsupportedVersionError) return new MqttError(REASON.unsupportedVersion, error.message);
  if (error instanceof BrokerError)
    return new MqttError(reasons[error.key] ?? REASON.implementationSpecific, error.message);
  const reference = door.broker.platform.random.uuid().slice(0, 8);
  door.log.error({ peer, reference, err: error }, 'an internal error closed a connection');
  return new MqttError(REASON.unspecified, `internal error, reference ${reference}`);
}
