// Starts a Chapar for the demo and for the interop tests, or takes a broker that runs already. Both have one face, Broker
// (see broker.d.mts).
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));

/** Starts a broker of its own on free ports of the loopback, with a data directory that vanishes at stop(). */
export async function startBroker({ environment = {}, readySeconds = 30, options = [], protocols = [] } = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'chapar-'));
  const named = ['amqp', 'management', ...protocols];
  const listeners = Object.fromEntries(named.map((protocol) => [protocol, '127.0.0.1:0']));
  let running = null;

  async function start() {
    const listen = Object.entries(listeners).flatMap(([name, address]) => ['--listen', `${name}=${address}`]);
    const command = [main, 'start', '--data-dir', dataDir, ...listen, ...options];
    running = spawnBroker(command, { ...process.env, ...environment });
    // The ports stay the same over restarts, as those of a real broker do.
    Object.assign(listeners, await running.ready(readySeconds));
  }

  async function end(signal) {
    if (running === null) return null;
    const { child, ended } = running;
    running = null;
    child.kill(signal);
    return ended;
  }

  async function stopCleanly() {
    const ended = await end('SIGTERM');
    if (ended !== null && ended.code !== 0) throw new Error(`the broker ended with ${ended.code ?? ended.signal}`);
  }

  const removeData = () => rm(dataDir, { recursive: true, force: true });
  await start().catch(async (error) => {
    await removeData();
    throw error;
  });
  const managementUrl = `http://guest:guest@${listeners.management}`;
  return withUsers(managementUrl, '/', {
    url: `amqp://guest:guest@${listeners.amqp}`,
    managementUrl,
    mqttUrl: listeners.mqtt === undefined ? null : `mqtt://${listeners.mqtt}`,
    mqttWebSocketUrl: listeners['mqtt-ws'] === undefined ? null : `ws://${listeners['mqtt-ws']}/mqtt`,
    dataDir,
    canRestart: true,
    get pid() {
      return running?.child.pid ?? null;
    },
    async kill9() {
      await end('SIGKILL');
    },
    async restart() {
      await stopCleanly();
      await start();
    },
    async stop() {
      await stopCleanly().finally(removeData);
    },
  });
}

function spawnBroker(command, environment) {
  const child = spawn(process.execPath, command, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const lastLines = [];
  const ended = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      process.off('exit', killWithUs);
      resolve({ code, signal });
    });
  });

  const isReady = new Promise((resolve) => {
    const read = (line) => {
      if (lastLines.push(line) > 30) lastLines.shift();
      const listeners = readyListeners(line);
      if (listeners !== null) resolve(listeners);
    };
    createInterface({ input: child.stdout }).on('line', read);
    createInterface({ input: child.stderr }).on('line', read);
  });

  return {
    child,
    ended,
    async ready(seconds) {
      let timer;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, seconds * 1000, null);
      });
      const listeners = await Promise.race([isReady, late, ended.then(() => null)]);
      clearTimeout(timer);
      if (listeners !== null) return listeners;
      child.kill('SIGKILL');
      throw new Error(`the broker did not become ready within ${seconds} s; it said:\n${lastLines.join('\n')}`);
    },
  };
}

/** The addresses in the JSON log line with which a broker says that it is ready; null for every other line. */
function readyListeners(line) {
  if (!line.startsWith('{')) return null;
  try {
    const entry = JSON.parse(line);
    return entry.msg === 'ready' ? entry.listeners : null;
  } catch {
    return null;
  }
}

/**
 * A broker that runs already. Restart and kill -9 are shell commands, since only its owner knows them; without them
 * `canRestart` is false. With `ownVhost` everything happens in a new virtual host, which stop() deletes.
 */
export async function useBroker({ url, managementUrl = null, kill9Command, restartCommand, ownVhost = false }) {
  const vhost = ownVhost && managementUrl !== null ? `interop-${process.pid}-${Date.now()}` : null;
  const address = new URL(url);
  if (vhost !== null) {
    address.pathname = `/${vhost}`;
    await ask(managementUrl, 'PUT', `vhosts/${vhost}`, {});
    await allow(managementUrl, vhost, decodeURIComponent(address.username || 'guest'));
  }

  const broker = {
    url: address.href,
    managementUrl,
    dataDir: null,
    pid: null,
    canRestart: Boolean(kill9Command && restartCommand),
    kill9: () => shell(kill9Command),
    restart: () => shell(restartCommand),
    async stop() {
      await broker.removeUsers();
      if (vhost !== null) await ask(managementUrl, 'DELETE', `vhosts/${vhost}`);
    },
  };
  return withUsers(managementUrl, vhost ?? decodeURIComponent(address.pathname.slice(1) || '/'), broker);
}

function withUsers(managementUrl, vhost, broker) {
  const names = new Set();
  const more = {
    vhost,
    async addUser(name, password) {
      if (managementUrl === null) throw new Error('users are made through the management API: no address for it');
      names.add(name);
      await ask(managementUrl, 'PUT', `users/${name}`, { password, tags: '' });
      await allow(managementUrl, vhost, name);
    },
    async removeUsers() {
      for (const name of names) await ask(managementUrl, 'DELETE', `users/${name}`);
      names.clear();
    },
  };
  // Not spread: `pid` is a getter.
  return Object.assign(broker, more);
}

function allow(managementUrl, vhost, user) {
  const everything = { configure: '.*', write: '.*', read: '.*' };
  return ask(managementUrl, 'PUT', `permissions/${encodeURIComponent(vhost)}/${user}`, everything);
}

/** One request to the management API; throws unless the answer is 2xx. */
async function ask(managementUrl, method, path, body) {
  const { origin, username, password } = new URL(managementUrl);
  const login = Buffer.from(`${username || 'guest'}:${password || 'guest'}`).toString('base64');
  const response = await fetch(`${origin}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${login}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} /api/${path}: ${response.status} ${await response.text()}`);
}

async function shell(command) {
  if (!command) throw new Error('this broker is not ours to restart');
  const child = spawn(command, { shell: true, stdio: 'ignore' });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`"${command}" ended with ${code}`);
}
