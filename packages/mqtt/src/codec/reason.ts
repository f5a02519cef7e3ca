/** Reason codes of MQTT 5.0 (§2.4) that this broker says or looks at. */
export const REASON = {
  success: 0x00,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecific: 0x83,
  unsupportedVersion: 0x84,
  clientIdInvalid: 0x85,
  badCredentials: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  serverShuttingDown: 0x8b,
  badAuthMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  filterInvalid: 0x8f,
  topicInvalid: 0x90,
  packetIdInUse: 0x91,
  packetIdNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  connectionRateExceeded: 0x9f,
} as const;

/** What CONNACK of 3.1 and 3.1.1 says instead (§3.2.2.3); null: nothing but hanging up. */
export function connackCode3(reason: number): number | null {
  if (reason === REASON.unsupportedVersion) return 1;
  if (reason === REASON.clientIdInvalid) return 2;
  if (reason === REASON.badCredentials) return 4;
  if (reason === REASON.notAuthorized) return 5;
  const unavailable: readonly number[] = [
    REASON.serverUnavailable,
    REASON.serverBusy,
    REASON.serverShuttingDown,
    REASON.quotaExceeded,
    REASON.connectionRateExceeded,
  ];
  return unavailable.includes(reason) ? 3 : null;
}

/** Reasons that CONNACK has no code for (§3.2.2.2), and what it says for them. [MQTT-3.2.2-8] */
export function connackReason(reason: number): number {
  if (reason === REASON.serverShuttingDown) return REASON.serverUnavailable;
  return reason === REASON.sessionTakenOver || reason === REASON.administrativeAction ? REASON.unspecified : reason;
}
