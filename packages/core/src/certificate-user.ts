import type { PeerCertificate } from '@chapar/platform';

/** Which name of a client certificate is its user. */
export type CertificateLogin = 'distinguished_name' | 'common_name' | 'subject_alternative_name';

/** The user that a certificate names; null when it has no such name. */
export function certificateUser(certificate: PeerCertificate, login: CertificateLogin): string | null {
  if (login === 'distinguished_name') return certificate.subject === '' ? null : certificate.subject;
  if (login === 'common_name') return certificate.commonNames[0] ?? null;
  return certificate.alternativeNames[0]?.value ?? null;
}
