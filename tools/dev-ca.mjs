// npm run dev-ca [-- DIR [NAME ...]]: a certificate authority for development in DIR (default: dev-ca), a server certificate for this
// machine and a client certificate for each NAME (default: client). Never for production: the keys lie beside the certificates.
import { webcrypto } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 24 * 3600 * 1000;
const [directory = 'dev-ca', ...names] = process.argv.slice(2);
const file = (name) => path.join(directory, name);

await mkdir(directory, { recursive: true });
const authority = existsSync(file('ca.key.pem')) ? await readAuthority() : await makeAuthority();
await issue('server', `CN=${hostname()}`, [
  new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
  new x509.SubjectAlternativeNameExtension([
    { type: 'dns', value: 'localhost' },
    { type: 'dns', value: hostname() },
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '::1' },
  ]),
]);
for (const name of names.length === 0 ? ['client'] : names) {
  await issue(name, `CN=${name},O=Chapar development`, [
    new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.2']),
    new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
  ]);
}
console.log(`
In the configuration of the broker:

  listeners:
    amqps: 5671
  tls:
    certFile: ${path.resolve(file('server.pem'))}
    keyFile: ${path.resolve(file('server.key.pem'))}
    caFile: ${path.resolve(file('ca.pem'))}
    clientCertificate: optional

Clients trust ${path.resolve(file('ca.pem'))}.`);

async function makeAuthority() {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=Chapar development CA',
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 3650 * dayMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await save('ca', certificate, keys.privateKey);
  return { certificate, privateKey: keys.privateKey, publicKey: keys.publicKey };
}

async function readAuthority() {
  const certificate = new x509.X509Certificate(await readFile(file('ca.pem'), 'utf8'));
  const der = x509.PemConverter.decodeFirst(await readFile(file('ca.key.pem'), 'utf8'));
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
  console.log(`the authority in ${directory} is used again`);
  return { certificate, privateKey, publicKey: await certificate.publicKey.export(algorithm, ['verify']) };
}

async function issue(name, subject, extensions) {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject,
    issuer: authority.certificate.subject,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 825 * dayMs),
    publicKey: keys.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      ...extensions,
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  });
  await save(name, certificate, keys.privateKey);
}

async function save(name, certificate, privateKey) {
  const der = await webcrypto.subtle.exportKey('pkcs8', privateKey);
  await writeFile(file(`${name}.key.pem`), `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`, { mode: 0o600 });
  await writeFile(file(`${name}.pem`), `${certificate.toString('pem')}\n`);
  console.log(`wrote ${file(`${name}.pem`)} and ${file(`${name}.key.pem`)}`);
}

function serial() {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] &= 0x7f;
  return bytes.toString('hex');
}
