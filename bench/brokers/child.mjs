// A broker as a child process: a log file, a port to wait for, and an end that is certain.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Ports that nobody listens on now; they are all held until the last one is known, so that they differ. */
export async function freePorts(count) {
  const servers = [];
  for (let i = 0; i < count; i++) {
    const server = createServer();
    await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Starts a command in a process group of its own; its output goes to `logFile`. */
export function start(command, args, { cwd, env, logFile }) {
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(`${command} could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`${command} ended with ${signal ?? `status ${code}`}`));
  });
  return { child, ended, logFile };
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).then((accepted) => accepted);
}

/** Resolves when the port accepts connections; rejects with the end of the log when the process ends first. */
export async function untilListening(running, port, secondsMax, pollMs = 100) {
  let end;
  running.ended.then((text) => {
    end = text;
  });
  for (const deadline = Date.now() + secondsMax * 1000; Date.now() < deadline; await sleep(pollMs)) {
    if (end) throw new Error(`${end}\n${logTail(running)}`);
    if (await accepts(port)) return;
  }
  throw new Error(`port ${port} does not accept connections after ${secondsMax} s\n${logTail(running)}`);
}

function logTail(running) {
  return readFileSync(running.logFile, 'utf8').split('\n').slice(-20).join('\n');
}

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

/** `clean`: as `stop`. `kill9`: SIGKILL to the process that listens, and the end of those that started it. */
export async function end(running, pid, how, secondsMax) {
  if (how === 'kill9') process.kill(pid, 'SIGKILL');
  await stop(running, secondsMax);
}

/** How long `startIt` and the port take. Seconds. */
export async function timeStart(startIt, port, secondsMax) {
  const startedMs = performance.now();
  const running = startIt();
  await untilListening(running, port, secondsMax, 5);
  return { running, seconds: (performance.now() - startedMs) / 1000 };
}

/** SIGTERM to the command, and SIGKILL to whatever of its group is left after `secondsMax`. */
export async function stop(running, secondsMax) {
  if (running.child.pid === undefined) return;
  running.child.kill('SIGTERM');
  const timeout = sleep(secondsMax * 1000, undefined, { ref: false });
  await Promise.race([running.ended, timeout]);
  signalGroup(running.child, 'SIGKILL');
  await running.ended;
}
