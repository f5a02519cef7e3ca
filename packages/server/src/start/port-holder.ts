import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process that listens on a port. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line, shortened. */
  readonly command: string;
}

/** TCP_LISTEN of the kernel's table. */
const listenState = '0A';
const commandCharactersMax = 100;

/**
 * Who listens on a TCP port of this machine, found without other programs: the kernel's socket table names the socket's inode, and
 * some process has that open. Null where the system does not tell (no /proc, or a process of somebody else).
 */
export function findPortHolder(port: number, proc = '/proc'): PortHolder | null {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listeningInodes(`${proc}/net/${table}`, port)));
  if (inodes.size === 0) return null;
  for (const name of list(proc)) {
    if (/^\d+$/.test(name) && holdsSocket(`${proc}/${name}/fd`, inodes)) {
      return { pid: Number(name), command: commandOf(`${proc}/${name}/cmdline`) };
    }
  }
  return null;
}

/** Columns of /proc/net/tcp (proc(5)): 1 local address as hex IP:PORT, 3 state, 9 inode. */
function listeningInodes(table: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return read(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(wanted) && columns[3] === listenState)
    .map((columns) => columns[9] ?? '');
}

function holdsSocket(directory: string, inodes: ReadonlySet<string>): boolean {
  return list(directory).some((name) => {
    try {
      const found = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${directory}/${name}`));
      return found !== null && inodes.has(found[1] ?? '');
    } catch {
      return false;
    }
  });
}

function commandOf(file: string): string {
  const command = read(file).replace(/\0+$/, '').replaceAll('\0', ' ');
  return command.length > commandCharactersMax ? `${command.slice(0, commandCharactersMax)}...` : command;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
