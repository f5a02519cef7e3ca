import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority that signs for addresses, valid for the day of the test. */
export class Authority {
  readonly caFile: string;
  private readonly directory = mkdtempSync(join(tmpdir(), 'chapar-authority-'));

  constructor() {
    this.caFile = this.file('ca.pem');
    const subject = ['-subj', '/CN=an authority of the tests'];
    openssl('req', '-x509', ...newKey, '-keyout', this.file('ca.key'), '-out', this.caFile, '-days', '2', ...subject);
  }

  /** For a node at this address, as server and as client. */
  issue(host: string): Certificate {
    const [certFile, keyFile, request] = [`${host}.pem`, `${host}.key`, `${host}.csr`].map((name) => this.file(name));
    const extensions = this.file(`${host}.ext`);
    writeFileSync(extensions, `subjectAltName=IP:${host}\nextendedKeyUsage=serverAuth,clientAuth\n`);
    openssl('req', ...newKey, '-keyout', keyFile!, '-out', request!, '-subj', `/CN=${host}`);
    openssl(
      ...['x509', '-req', '-in', request!, '-CA', this.caFile, '-CAkey', this.file('ca.key'), '-CAcreateserial'],
      ...['-days', '2', '-extfile', extensions, '-out', certFile!],
    );
    return { certFile: certFile!, keyFile: keyFile! };
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private file(name: string): string {
    return join(this.directory, name);
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}
