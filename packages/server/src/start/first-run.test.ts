import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DirectoryLockedError } from '@chapar/platform';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../config/effective.js';
import type { Flags } from '../config/flags.js';
import { type ServerOptions, serverOptions } from '../config/options.js';
import { readDefaultPassword } from './default-password.js';
import { descriptorLimit, descriptorWarning } from './descriptors.js';
import { explain, formatExplanation } from './explain.js';
import { findPortHolder } from './port-holder.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-start-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const optionsOf = (flags: Flags = {}, environment: Record<string, string> = {}): ServerOptions =>
  serverOptions(readConfiguration(flags, environment), directory);

function failure(code: string, fields: object = {}): Error {
  return Object.assign(new Error(`${code}: it failed`), { code, ...fields });
}

const textOf = (error: Error, options = optionsOf()) => {
  const explanation = explain(error, options, () => null);
  return explanation === null ? null : formatExplanation(explanation);
};

describe('a port in use', () => {
  test('the error of the system leads to the protocol, the option and the process', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const error = await new Promise<Error>((resolve) =>
      createServer().listen(port, '127.0.0.1').once('error', resolve),
    );
    const options = optionsOf({ listen: ['amqp=127.0.0.1:0', `management=127.0.0.1:${port}`] });
    const explanation = explain(error, options);
    expect(explanation?.exitCode).toBe(1);
    expect(explanation?.cause).toContain(`port ${port} for management is in use by process ${process.pid} (`);
    expect(explanation?.wayOut).toContain('--listen management=HOST:PORT');
    expect(explanation?.wayOut).toContain('listeners.management');
    taken.close();
  });

  test('a port that nobody listens on has no holder', () => {
    expect(findPortHolder(1)).toBeNull();
  });

  test('where the system does not tell, the rest of the text stands', () => {
    expect(findPortHolder(5672, '/nonexistent')).toBeNull();
    const text = textOf(failure('EADDRINUSE', { syscall: 'listen', address: '::', port: 5672 }));
    expect(text).toContain('port 5672 for amqp is in use by another process.');
  });
});

describe('why it did not start', () => {
  test.each([
    [
      failure('EACCES', { syscall: 'listen', port: 80 }),
      ['listen', 'amqp=:80'],
      ['no permission to listen on port 80', 'from 1024 up'],
    ],
    [
      failure('EADDRNOTAVAIL', { syscall: 'listen', address: '10.1.1.1', port: 5672 }),
      ['listen', 'amqp=10.1.1.1'],
      ['10.1.1.1 for amqp is not an address of this machine'],
    ],
    [
      failure('ENOTFOUND', { syscall: 'getaddrinfo', hostname: 'nowhere' }),
      ['listen', 'amqp=nowhere'],
      ['nowhere for amqp is not an address'],
    ],
    [failure('EACCES', { syscall: 'mkdir', path: '/x/data' }), [], ['/x/data cannot be written', '--data-dir DIR']],
    [failure('EROFS', { syscall: 'open', path: '/x/data' }), [], ['/x/data cannot be written', 'EROFS']],
    [failure('ENOTDIR', { syscall: 'mkdir', path: '/x/data' }), [], ['/x/data is a file where a directory is needed']],
    [failure('ENOSPC', { syscall: 'write' }), [], ['is full', 'Free some space']],
    [failure('EMFILE', { syscall: 'open' }), [], ['too few file descriptors', 'ulimit -n']],
    [
      new DirectoryLockedError('/x/data', 4711),
      [],
      ['held by another broker (process 4711)', '--data-dir DIR --listen amqp=:5673'],
    ],
  ] as [Error, string[], string[]][])('%s', (error, [, listen], parts) => {
    const options = optionsOf(listen === undefined ? {} : { listen: [listen] });
    const text = textOf(error, options);
    for (const part of ['Chapar did not start: ', ...parts]) expect(text).toContain(part);
    expect(explain(error, options)?.exitCode).toBe(1);
  });

  test("unusable TLS files are the configuration's fault", () => {
    const options = optionsOf({}, { CHAPAR_TLS__CERT_FILE: 'c.pem', CHAPAR_TLS__KEY_FILE: 'k.pem' });
    const explanation = explain(failure('ERR_OSSL_PEM_NO_START_LINE'), options);
    expect(explanation?.exitCode).toBe(2);
    expect(explanation?.cause).toContain(`${directory}/c.pem, ${directory}/k.pem`);
  });

  test('what nobody foresaw is not explained away', () => {
    expect(explain(new TypeError('x is undefined'), optionsOf())).toBeNull();
    expect(explain(failure('EWEIRD', { syscall: 'listen', port: 5672 }), optionsOf())).toBeNull();
  });
});

describe('file descriptors', () => {
  test('the limit of this process', () => {
    const limits = path.join(directory, 'limits');
    writeFileSync(
      limits,
      'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n',
    );
    expect(descriptorLimit(limits)).toBe(1024);
    writeFileSync(limits, 'Max open files            unlimited            unlimited            files\n');
    expect(descriptorLimit(limits)).toBe(Number.POSITIVE_INFINITY);
    expect(descriptorLimit('/nonexistent')).toBeNull();
  });

  test('too few are told, with what to do', () => {
    expect(descriptorWarning(optionsOf(), 1024)).toContain(
      'only 1024 file descriptors: about 824 connections fit; raise the limit',
    );
    expect(descriptorWarning(optionsOf(), 65536)).toBeNull();
    expect(descriptorWarning(optionsOf(), null)).toBeNull();
    expect(descriptorWarning(optionsOf({}, { CHAPAR_LIMITS__CONNECTION_MAX: '100' }), 1024)).toBeNull();
    expect(descriptorWarning(optionsOf({}, { CHAPAR_LIMITS__CONNECTION_MAX: '9000' }), 8192)).toContain('only 8192');
  });
});

describe('the first password', () => {
  const environment = (file: string) => ({
    CHAPAR_AUTH__DEFAULT_USER: 'root',
    CHAPAR_AUTH__DEFAULT_PASSWORD_FILE: file,
  });

  test('comes from its file, without the newline at its end', async () => {
    writeFileSync(path.join(directory, 'pw'), 'top secret \n');
    expect(await readDefaultPassword(optionsOf({}, environment('pw')))).toBe('top secret ');
    expect(await readDefaultPassword(optionsOf())).toBe('guest');
  });

  test('a file that is empty or absent is a fault of the configuration', async () => {
    writeFileSync(path.join(directory, 'empty'), '\n');
    await expect(readDefaultPassword(optionsOf({}, environment('empty')))).rejects.toThrow(
      'auth.defaultPasswordFile: ',
    );
    await expect(readDefaultPassword(optionsOf({}, environment('absent')))).rejects.toThrow('ENOENT');
    expect(readFileSync(path.join(directory, 'empty'), 'utf8')).toBe('\n');
  });
});
