// One step at a time, with its seconds: a line that counts on a terminal, a line every few seconds elsewhere (a build log that
// stays silent for a minute looks like a hang).
import { spawn } from 'node:child_process';

const quietSecondsMax = 5;

/** Tells how long something takes; `end` closes the line. Writes to stderr, so that a program's own output stays clean. */
export function progress(title) {
  const began = performance.now();
  const terminal = process.stderr.isTTY === true;
  const seconds = () => Math.round((performance.now() - began) / 1000);
  process.stderr.write(terminal ? title : `${title}\n`);
  const interval = terminal ? 1000 : quietSecondsMax * 1000;
  const timer = setInterval(() => {
    process.stderr.write(terminal ? `\r\x1b[K${title} ${seconds()} s` : `${title} (${seconds()} s so far)\n`);
  }, interval);
  return {
    end(text) {
      clearInterval(timer);
      process.stderr.write(
        `${terminal ? '\r\x1b[K' : ''}${text} (${((performance.now() - began) / 1000).toFixed(1)} s)\n`,
      );
    },
  };
}

/** Runs a program quietly. Resolves with { code, output }; nothing is thrown for a code other than 0. `started` gets the process. */
export function runQuietly(program, args, { started, ...options } = {}) {
  return new Promise((resolve) => {
    const chunks = [];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    if (child.pid !== undefined) started?.(child);
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    const done = (code) => resolve({ code, output: Buffer.concat(chunks).toString('utf8') });
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      done(127);
    });
    child.on('close', (code, signal) => done(code ?? (signal === null ? 1 : 128)));
    passSignalsOn(child);
  });
}

/** Runs a program on this terminal and resolves with its exit code. */
export function runOpenly(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'inherit', ...options });
    child.on('error', (error) => {
      console.error(error.message);
      resolve(127);
    });
    child.on('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
    passSignalsOn(child);
  });
}

/** A signal to us ends the program that we wait for, then us. */
function passSignalsOn(child) {
  const handlers = ['SIGINT', 'SIGTERM'].map((signal) => {
    const handler = () => {
      child.kill(signal);
      process.exitCode = signal === 'SIGINT' ? 130 : 143;
      child.once('close', () => process.exit());
    };
    process.once(signal, handler);
    return [signal, handler];
  });
  child.once('close', () => {
    for (const [signal, handler] of handlers) process.removeListener(signal, handler);
  });
}
