// Whether there is an etcd to start, and when it serves.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const oldest = [3, 4];
const readyMsMax = 30_000;

const howToInstall = `  Debian, Ubuntu   sudo apt-get install etcd-server   (before Debian 12: etcd)
  macOS            brew install etcd
  elsewhere        https://etcd.io/docs/latest/install
A system package may start an etcd of its own; it is not used and need not run.`;

/** What is wrong with the etcd on the PATH, in words; null when nothing is. */
export function findEtcd(program = 'etcd') {
  const { status, stdout, error } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (error !== undefined || status !== 0) {
    return `A cluster needs etcd ${oldest.join('.')} or newer, and there is none on the PATH:\n\n${howToInstall}`;
  }
  const [, major, minor] = (/Version: (\d+)\.(\d+)/.exec(stdout) ?? []).map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return null;
  return `A cluster needs etcd ${oldest.join('.')} or newer; on the PATH is:\n${stdout.trim()}\n\n${howToInstall}`;
}

/** Which of the ports is taken on the loopback; null when none is. */
export async function takenPort(ports) {
  for (const port of ports) {
    const free = await new Promise((resolve) => {
      const server = createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (!free) return port;
  }
  return null;
}

/** Resolves with true when it serves, with false when `isOver()` or too late. */
export async function etcdReady(endpoint, isOver) {
  const until = performance.now() + readyMsMax;
  while (performance.now() < until && !isOver()) {
    const healthy = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(2000) })
      .then(async (response) => String((await response.json()).health) === 'true')
      .catch(() => false);
    if (healthy) return true;
    await sleep(100);
  }
  return false;
}
