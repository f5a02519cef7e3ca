import { malformed } from './error.js';
import { PUBREL, packetName, SUBSCRIBE, UNSUBSCRIBE } from './packet.js';

/** [MQTT-2.1.3-1]: reserved flags have the value that the specification gives them. */
export function assertFlags(type: number, flags: number): void {
  const wanted = type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
  if (flags !== wanted) throw malformed(`${packetName(type)} with flags ${flags}`);
}
