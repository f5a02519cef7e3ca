import type { RunningBroker } from '../broker.js';
import type { ServerOptions } from '../config/options.js';
import { protocols } from '../config/protocols.js';

/** What somebody who typed `npm start` wants to know. */
export function banner(broker: RunningBroker, options: ServerOptions, pid: number): string {
  const listeners = protocols.flatMap((protocol) => {
    const endpoint = broker.listeners[protocol];
    return endpoint === undefined ? [] : [[protocol, endpoint] as const];
  });
  const rows = [
    ...listeners,
    ['data', broker.dataDir] as const,
    ['durability', broker.durability] as const,
    ['node', `${options.node.name}, process ${pid}`] as const,
    ['log in', loginText(options)] as const,
    ['stop', `Ctrl-C, or kill ${pid}; clients get up to ${options.shutdownSeconds} s to say goodbye`] as const,
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return `\nChapar ${broker.version} is ready.\n\n${rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n')}\n\n`;
}

function loginText(options: ServerOptions): string {
  const { defaultUser, defaultPasswordFile, loopbackUsers } = options.auth;
  if (defaultPasswordFile !== null)
    return `${defaultUser}, with the password of ${defaultPasswordFile} (as the data directory was made)`;
  const where = loopbackUsers.includes(defaultUser) ? ', from this machine only' : '';
  return `guest / guest${where} (unless changed since)`;
}

/** The same for machines: the fields of the log line "ready". */
export function readyFields(broker: RunningBroker, options: ServerOptions, pid: number): object {
  const { listeners, dataDir, version, durability } = broker;
  return { listeners, dataDir, version, durability, node: options.node.name, pid };
}
