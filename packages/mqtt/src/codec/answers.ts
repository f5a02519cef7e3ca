// What the broker answers, beside the packets of messages; encoded by mqtt-packet.
import { generate, type IConnackPacket } from 'mqtt-packet';
import type { Version } from './packet.js';
import { connackCode3, connackReason, REASON } from './reason.js';

type ConnackProperties = NonNullable<IConnackPacket['properties']>;

/** Null: an answer that this version has no word for. */
export function connack(
  version: Version,
  reason: number,
  sessionPresent: boolean,
  properties: ConnackProperties,
): Buffer | null {
  if (version === 5) {
    return generate(
      { cmd: 'connack', reasonCode: connackReason(reason), sessionPresent, properties },
      { protocolVersion: 5 },
    );
  }
  const returnCode = reason === REASON.success ? 0 : connackCode3(reason);
  // 3.1 has no word for a session that is present.
  if (returnCode === null) return null;
  return generate(
    { cmd: 'connack', returnCode, sessionPresent: sessionPresent && version === 4 },
    { protocolVersion: 4 },
  );
}

/** `reasons`: before 5.0 the granted QoS or 0x80. */
export function suback(version: Version, messageId: number, reasons: readonly number[]): Buffer {
  const granted = version === 5 ? reasons : reasons.map((each) => (each >= 0x80 ? 0x80 : each));
  return generate({ cmd: 'suback', messageId, granted: [...granted] }, { protocolVersion: version });
}

export function unsuback(version: Version, messageId: number, reasons: readonly number[]): Buffer {
  return generate({ cmd: 'unsuback', messageId, granted: [...reasons] }, { protocolVersion: version });
}

/** Only 5.0 has it from the broker. */
export function disconnect(reasonCode: number, reasonString: string | null, serverReference?: string): Buffer {
  const properties = {
    ...(reasonString === null ? {} : { reasonString }),
    ...(serverReference && { serverReference }),
  };
  return generate({ cmd: 'disconnect', reasonCode, properties }, { protocolVersion: 5 });
}

export const PINGRESP_PACKET = Buffer.from([0xd0, 0]);
