/** A file's text, null when it cannot be read. */
export type ReadText = (path: string) => string | null;

/**
 * The memory limit of the process's cgroup and of those around it, in bytes; Infinity where there is none. Version 2 keeps it in
 * `memory.max` (cgroup-v2, "Memory Interface Files"), version 1 in `memory.limit_in_bytes`.
 */
export function cgroupMemoryBytes(read: ReadText): number {
  const limits = [Number.POSITIVE_INFINITY];
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers.split(',').includes('memory')) limits.push(...limitsAlong('/sys/fs/cgroup/memory', path, read, v1));
    else if (line.startsWith('0::')) {
      limits.push(...limitsAlong('/sys/fs/cgroup', path, read, v2));
      limits.push(...limitsAlong('/sys/fs/cgroup/unified', path, read, v2));
    }
  }
  return Math.min(...limits);
}

const v1 = 'memory.limit_in_bytes';
const v2 = 'memory.max';

/** From the cgroup up to the root: each limits those within. In a container the path may be the host's, and only the root is there. */
function limitsAlong(mount: string, path: string, read: ReadText, file: string): number[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '..');
  return [...names, ''].flatMap((_, depth) => {
    const text = read([mount, ...names.slice(0, names.length - depth), file].join('/'))?.trim() ?? '';
    return /^\d+$/.test(text) ? [Number(text)] : [];
  });
}
