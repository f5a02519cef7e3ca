import { DirectoryLockedError } from '@chapar/platform';
import { StartRefusedError } from '../broker.js';
import type { ServerOptions } from '../config/options.js';
import { ConfigurationError } from '../config/problem.js';
import { defaultPorts, type Protocol } from '../config/protocols.js';
import { findPortHolder, type PortHolder } from './port-holder.js';

/** Why the broker did not start, for somebody who sees it for the first time. */
export interface Explanation {
  readonly cause: string;
  readonly wayOut: string;
  /** 2: the configuration is at fault; 1: anything else. */
  readonly exitCode: 1 | 2;
}

type SystemError = NodeJS.ErrnoException & { readonly port?: number; readonly address?: string };

/** Null for errors that nobody foresaw: those show their stack. */
export function explain(
  error: unknown,
  options: ServerOptions,
  findHolder: (port: number) => PortHolder | null = findPortHolder,
): Explanation | null {
  if (error instanceof ConfigurationError) return { cause: error.message, wayOut: '', exitCode: 2 };
  if (error instanceof StartRefusedError) return { cause: error.message, wayOut: '', exitCode: 1 };
  if (error instanceof DirectoryLockedError) return explainLocked(error, options);
  if (!(error instanceof Error) || typeof (error as SystemError).code !== 'string') return null;
  const failure = error as SystemError;
  if (failure.syscall === 'listen' || failure.syscall === 'bind' || failure.syscall === 'getaddrinfo')
    return explainListen(failure, options, findHolder);
  if (/^ERR_(OSSL|SSL|TLS|CRYPTO)/.test(failure.code ?? '')) return explainTls(failure, options);
  return explainDisk(failure, options);
}

export function formatExplanation({ cause, wayOut }: Explanation): string {
  return `Chapar did not start: ${cause}${wayOut === '' ? '' : `\n${wayOut}`}\n`;
}

// ---------------------------------------------------------------------------------------------------------------

function explainListen(
  error: SystemError,
  options: ServerOptions,
  findHolder: (port: number) => PortHolder | null,
): Explanation | null {
  const protocol = protocolOf(error, options);
  const port = error.port ?? options.listeners[protocol]?.port ?? 0;
  const option = `--listen ${protocol}=HOST:PORT (in the file: listeners.${protocol}; port 0 picks a free one)`;
  switch (error.code) {
    case 'EADDRINUSE': {
      const holder = findHolder(port);
      const by = holder === null ? 'another process' : `process ${holder.pid} (${holder.command})`;
      return {
        cause: `port ${port} for ${protocol} is in use by ${by}.`,
        wayOut: `Stop that process, or choose another port: ${option}.`,
        exitCode: 1,
      };
    }
    case 'EACCES':
    case 'EPERM': {
      const wayOut = `Choose a port from 1024 up: ${option}; or allow it: setcap cap_net_bind_service=+ep ${process.execPath}.`;
      return {
        cause: `no permission to listen on port ${port} for ${protocol}: ports below 1024 are for privileged processes.`,
        wayOut,
        exitCode: 1,
      };
    }
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN': {
      const host = options.listeners[protocol]?.host ?? error.address ?? '';
      return {
        cause: `${host} for ${protocol} is not an address of this machine.`,
        wayOut: `Choose another: ${option}, or * for all interfaces.`,
        exitCode: 1,
      };
    }
    default:
      return null;
  }
}

/** Node's errors carry the port (listen) or the host name (getaddrinfo), not what we wanted it for. */
function protocolOf(error: SystemError & { readonly hostname?: string }, options: ServerOptions): Protocol {
  const entries = Object.entries(options.listeners) as [Protocol, { host: string | null; port: number }][];
  const sameHost = entries.find(
    ([, address]) => address.port === error.port && (address.host ?? '::') === error.address,
  );
  const samePort = entries.find(([, address]) => address.port === error.port);
  const named = entries.find(
    ([, address]) => address.host !== null && (address.host === error.hostname || address.host === error.address),
  );
  return (sameHost ?? samePort ?? named ?? entries[0])?.[0] ?? 'amqp';
}

function explainLocked(error: DirectoryLockedError, options: ServerOptions): Explanation {
  const holder = error.holderPid === null ? 'another broker' : `another broker (process ${error.holderPid})`;
  const ports = Object.keys(options.listeners).map(
    (protocol) => `--listen ${protocol}=:${(defaultPorts[protocol as Protocol] ?? 0) + 1}`,
  );
  return {
    cause: `the data directory ${options.node.dataDir} is held by ${holder}.`,
    wayOut: `Stop that broker, or give this one a directory and ports of its own: --data-dir DIR ${ports.join(' ')}.`,
    exitCode: 1,
  };
}

function explainTls(error: SystemError, options: ServerOptions): Explanation {
  const files = [options.tls?.certFile, options.tls?.keyFile, options.tls?.caFile].filter((file) => file !== undefined);
  return {
    cause: `the TLS files cannot be used (${error.message}): ${files.join(', ')}.`,
    wayOut:
      'tls.certFile, tls.keyFile and tls.caFile must be PEM files, the key without a passphrase and belonging to the certificate.',
    exitCode: 2,
  };
}

function explainDisk(error: SystemError, options: ServerOptions): Explanation | null {
  const where = error.path ?? options.node.dataDir;
  const choose = 'choose another directory: --data-dir DIR (in the file: node.dataDir)';
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS': {
      const who = typeof process.getuid === 'function' ? ` by user id ${process.getuid()}` : '';
      return {
        cause: `${where} cannot be written${who} (${error.code}).`,
        wayOut: `Change its owner or permissions, or ${choose}.`,
        exitCode: 1,
      };
    }
    case 'ENOTDIR':
    case 'EEXIST':
      return {
        cause: `${where} is a file where a directory is needed.`,
        wayOut: `Move that file away, or ${choose}.`,
        exitCode: 1,
      };
    case 'ENOSPC':
    case 'EDQUOT':
      return {
        cause: `the disk of ${options.node.dataDir} is full.`,
        wayOut: `Free some space, or ${choose}.`,
        exitCode: 1,
      };
    case 'EMFILE':
    case 'ENFILE':
      return {
        cause: 'too few file descriptors.',
        wayOut: 'Raise the limit: ulimit -n 65536 (systemd: LimitNOFILE=65536).',
        exitCode: 1,
      };
    default:
      return null;
  }
}
