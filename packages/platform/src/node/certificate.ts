import type { X509Certificate } from 'node:crypto';
import { SocketAddress } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate, TlsFiles, TlsSession } from '../network.js';

type AlternativeName = PeerCertificate['alternativeNames'][number];

/** Why a peer is refused after its handshake, or null. As in RabbitMQ (verify_peer), `optional` forgives no certificate but not a wrong one. */
export function peerRefusal(socket: TLSSocket, wanted: TlsFiles['clientCertificate']): Error | null {
  if (wanted === 'none') return null;
  if (socket.getPeerX509Certificate() === undefined) {
    return wanted === 'required' ? new Error('the client sent no certificate') : null;
  }
  if (socket.authorized) return null;
  return new Error(`the client's certificate is not trusted: ${String(socket.authorizationError)}`);
}

/** What a finished handshake told. */
export function tlsSessionOf(socket: TLSSocket): TlsSession {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher()?.name ?? 'unknown',
    peerCertificate: certificate === undefined ? null : peerCertificateOf(certificate),
  };
}

/** Reads the parts of a certificate that name its owner. */
export function peerCertificateOf(certificate: X509Certificate): PeerCertificate {
  return {
    subject: rfc4514(certificate.subject),
    issuer: rfc4514(certificate.issuer),
    commonNames: commonNamesOf(certificate.subject),
    alternativeNames: parseAlternativeNames(certificate.subjectAltName ?? ''),
    serialNumber: certificate.serialNumber,
    validUntilMs: Date.parse(certificate.validTo),
  };
}

/** OpenSSL's text has one relative name a line, in the certificate's order (root first), values escaped by RFC 2253; RFC 4514 section 2.1 wants the reverse. */
export function rfc4514(openssl: string): string {
  return openssl
    .split('\n')
    .reverse()
    .map((line) => line.replaceAll(' + ', '+'))
    .join(',');
}

export function commonNamesOf(openssl: string): string[] {
  return openssl
    .split('\n')
    .flatMap((line) => line.split(' + '))
    .filter((attribute) => attribute.startsWith('CN='))
    .map((attribute) => unescapeValue(attribute.slice(3)));
}

/** RFC 4514 section 2.4: a backslash before a special character, or before the two hex digits of a byte of UTF-8. */
function unescapeValue(value: string): string {
  if (!value.includes('\\')) return value;
  const hexRuns = value.replace(/(?:\\[0-9A-Fa-f]{2})+/g, (run) =>
    Buffer.from(run.replaceAll('\\', ''), 'hex').toString('utf8').replaceAll('\\', '\\\\'),
  );
  return hexRuns.replace(/\\(.)/gs, '$1');
}

const kinds = new Map<string, AlternativeName['type']>([
  ['DNS', 'dns'],
  ['email', 'email'],
  ['URI', 'uri'],
  ['IP Address', 'ip'],
]);

/** Node's text `DNS:a, email:b@c, URI:"x, y"`: values with commas or quotes are JSON strings (CVE-2021-44532). Other kinds are left out. */
export function parseAlternativeNames(text: string): AlternativeName[] {
  const names: AlternativeName[] = [];
  const entry = /([^:,]+):("(?:[^"\\]|\\.)*"|[^"].*?|)(?:, |$)/gy;
  for (let found = entry.exec(text); found !== null && found[0] !== ''; found = entry.exec(text)) {
    const type = kinds.get(found[1]!);
    if (type === undefined) continue;
    const value = found[2]!.startsWith('"') ? (JSON.parse(found[2]!) as string) : found[2]!;
    names.push({ type, value: type === 'ip' ? canonicalAddress(value) : value });
  }
  return names;
}

/** OpenSSL writes IPv6 addresses in full; wires and configuration use the short form. */
function canonicalAddress(value: string): string {
  try {
    return new SocketAddress({ address: value, family: value.includes(':') ? 'ipv6' : 'ipv4' }).address;
  } catch {
    return value;
  }
}
