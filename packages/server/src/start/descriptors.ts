import { readFileSync } from 'node:fs';
import type { ServerOptions } from '../config/options.js';

/** What the broker keeps open beside its connections: listeners, log files, the runtime's own. */
const reserved = 200;
/** Fewer than this are told even where no number of connections was asked for. */
const comfortable = 4096;

/** How many files and sockets this process may have open; null where the system does not tell. */
export function descriptorLimit(limitsFile = '/proc/self/limits'): number | null {
  try {
    const found = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync(limitsFile, 'utf8'));
    if (found === null) return null;
    return found[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(found[1]);
  } catch {
    return null;
  }
}

/** What to say when there are too few; null when there are enough. */
export function descriptorWarning(options: ServerOptions, limit = descriptorLimit()): string | null {
  const wanted = options.limits.connectionMax === null ? comfortable : options.limits.connectionMax + reserved;
  if (limit === null || limit >= wanted) return null;
  const connections = Math.max(0, limit - reserved);
  return `only ${limit} file descriptors: about ${connections} connections fit; raise the limit with ulimit -n 65536 (systemd: LimitNOFILE=65536)`;
}
