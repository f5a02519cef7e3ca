import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runWell, versionOf } from './command.js';

const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Either the interpreter of an environment in which the packages are installed, or why there is none. */
export type PythonEnvironment = { python: string; missing: null } | { python: null; missing: string };

/** pika, aio-pika and what they need. */
export const clients = () =>
  environment('chapar-venv', [here('requirements.txt'), here('../../examples/python/requirements.txt')]);

/** The package message-queue wants a pika of 2018, so it gets an environment of its own. */
export const messageQueue = () =>
  environment('chapar-venv-message-queue', [here('../../examples/python/requirements-message-queue.txt')]);

/** paho-mqtt, which needs nothing else. */
export const mqttPython = () => environment('chapar-venv-mqtt', [here('mqtt/python/requirements.txt')]);

/** celery with kombu, which bring an AMQP client of their own. */
export const celery = () => environment('chapar-venv-celery', [here('celery/requirements.txt')]);

/** Made once, and again when the interpreter or a requirements file (the first is installed, all count) changes. */
async function environment(name: string, requirements: string[]): Promise<PythonEnvironment> {
  const version = versionOf('python3');
  if (version === null) return { python: null, missing: 'python3 is not installed' };
  const folder = join(cache, name);
  const python = join(folder, 'bin', 'python');
  const mark = join(folder, 'complete');
  const wanted = fingerprint(version, requirements);
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return { python, missing: null };

  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    await runWell(['python3', '-m', 'venv', folder]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements[0]!];
    await runWell([python, ...install], { seconds: 300 });
  } catch (error) {
    const [reason] = (error as Error).message.trim().split('\n').slice(-1);
    return { python: null, missing: `the Python packages of ${requirements[0]} could not be installed: ${reason}` };
  }
  writeFileSync(mark, wanted);
  return { python, missing: null };
}

function fingerprint(version: string, requirements: string[]): string {
  const hash = createHash('sha256').update(version);
  for (const file of requirements) hash.update(readFileSync(file));
  return hash.digest('hex');
}
