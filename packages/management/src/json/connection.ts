import type { Broker, ConnectionView } from '@chapar/core';
import type { Row } from './counters.js';
import { shownArguments } from './shown.js';

export function connectionJson(broker: Broker, connection: ConnectionView): Row {
  const { local, remote, principal } = connection;
  return {
    ...blockedJson(broker, connection),
    auth_mechanism: connection.authMechanism,
    channel_max: connection.channelsMax,
    channels: connection.channelCount,
    client_properties: shownArguments(connection.clientProperties),
    connected_at: connection.connectedAtMs,
    frame_max: connection.frameBytesMax,
    host: local.address,
    name: connection.name,
    node: broker.identity.node,
    peer_host: remote.address,
    peer_port: remote.port,
    port: local.port,
    protocol: connection.protocol,
    recv_oct: connection.receivedBytes,
    recv_oct_details: { rate: 0 },
    send_oct: connection.sentBytes,
    send_oct_details: { rate: 0 },
    // The field counts packets that wait, we bytes.
    send_pend: connection.unsentBytes,
    state: connection.state,
    timeout: connection.heartbeatSeconds,
    type: 'network',
    user: principal.user,
    user_provided_name: connection.userProvidedName,
    user_who_performed_action: principal.user,
    vhost: connection.vhost,
    ...tlsJson(connection),
  };
}

/** Who waits, for what and since when. The age is in seconds; the field writes `infinity` for never. */
function blockedJson({ platform }: Broker, { blocked }: ConnectionView): Row {
  const { reason, lastBlockedAtMs } = blocked;
  const ageMs = lastBlockedAtMs === null ? null : Math.max(0, platform.clock.wallMs() - lastBlockedAtMs);
  return {
    blocked_reason: reason,
    last_blocked_age: ageMs === null ? 'infinity' : ageMs / 1000,
    last_blocked_by: ageMs === null ? 'none' : 'resource',
  };
}

function tlsJson({ tls }: ConnectionView): Row {
  const certificate = tls?.peerCertificate ?? null;
  return {
    peer_cert_issuer: certificate?.issuer ?? null,
    peer_cert_subject: certificate?.subject ?? null,
    peer_cert_validity: certificate === null ? null : `until ${new Date(certificate.validUntilMs).toISOString()}`,
    ssl: tls !== null,
    ssl_cipher: tls?.cipher ?? null,
    ssl_hash: null,
    ssl_key_exchange: null,
    ssl_protocol: tls?.protocol ?? null,
  };
}
