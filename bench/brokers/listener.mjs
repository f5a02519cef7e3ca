// Which process holds a port: CPU and memory are the broker's, not those of the scripts that started it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTEN = '0A';

function listeningInodes(port) {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1));
  const fields = rows.map((row) => row.trim().split(/\s+/));
  return new Set(fields.filter((f) => f[1]?.endsWith(suffix) && f[3] === LISTEN).map((f) => `socket:[${f[9]}]`));
}

function holds(pid, inodes) {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    // It has ended meanwhile, a descriptor was closed while we looked, or it is not ours.
    return false;
  }
}

/** The process that listens on the port; when several share it, the one with the lowest number. */
export function listenerPid(port) {
  const inodes = listeningInodes(port);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const pid = pids
    .map(Number)
    .sort((a, b) => a - b)
    .find((candidate) => holds(candidate, inodes));
  if (pid === undefined) throw new Error(`no process of ours listens on port ${port}`);
  return pid;
}
