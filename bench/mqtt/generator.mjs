// The load generator for MQTT: compiled when its sources are newer than the program, run once for each measurement.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const GENERATOR = join(HERE, '..', 'build', 'mqtt-load');
const FLAGS = ['-O2', '-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra'];
const SHARED_PARTS = ['histogram.c', 'histogram.h', 'process.c', 'process.h'].map((name) =>
  join(HERE, '..', 'load', name),
);

export function buildGenerator() {
  const own = readdirSync(HERE).filter((name) => /\.[ch]$/.test(name));
  const files = [...own.map((name) => join(HERE, name)), ...SHARED_PARTS];
  const newest = Math.max(...files.map((file) => statSync(file).mtimeMs));
  if (existsSync(GENERATOR) && statSync(GENERATOR).mtimeMs > newest) return;
  mkdirSync(join(HERE, '..', 'build'), { recursive: true });
  const units = files.filter((file) => file.endsWith('.c'));
  execFileSync(process.env.CC ?? 'cc', [...FLAGS, '-o', GENERATOR, ...units, '-lm'], { stdio: 'inherit' });
}

/**
 * One measurement: `traffic`, `retained` or `storm`, with options as the generator has them (`backgroundClients` is
 * `--background-clients`; true is a flag). Resolves to its JSON.
 */
export function generate(kind, options) {
  const args = Object.entries(options).flatMap(([name, value]) => {
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) return [option];
    return value === undefined || value === false ? [] : [option, String(value)];
  });
  return new Promise((resolve, reject) => {
    const command = ['sh', '-c', 'ulimit -n 20000 2>/dev/null; exec "$@"', 'sh', GENERATOR, kind, ...args];
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`the generator ended with ${code}`));
    });
  });
}
