import { malformed } from './error.js';
import { DUP_FLAG, PUBREL, packetName, SUBSCRIBE, UNSUBSCRIBE, type Version } from './packet.js';

/** [MQTT-2.1.3-1]: reserved flags have the value that the specification gives them. */
export function assertFlags(type: number, flags: number, version: Version): void {
  const wanted = type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
  // Clients of 3.1 mark with DUP what they send again. §3.1 to §3.10 of 3.1
  const given = version === 3 && wanted === 2 ? flags & ~DUP_FLAG : flags;
  if (given !== wanted) throw malformed(`${packetName(type)} with flags ${flags}`);
}
