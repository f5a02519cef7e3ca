// The load generator: compiled when its sources are newer than the program, run once for each measurement.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
export const GENERATOR = join(HERE, 'build', 'load');
const COMPILER = process.env.CC ?? 'cc';
const FLAGS = ['-O2', '-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra'];

function sources() {
  const parts = readdirSync(join(HERE, 'load')).map((name) => join(HERE, 'load', name));
  return [join(HERE, 'load.c'), ...parts];
}

export function buildGenerator() {
  const files = sources();
  const newest = Math.max(...files.map((file) => statSync(file).mtimeMs));
  if (existsSync(GENERATOR) && statSync(GENERATOR).mtimeMs > newest) return;
  mkdirSync(join(HERE, 'build'), { recursive: true });
  const units = files.filter((file) => file.endsWith('.c'));
  execFileSync(COMPILER, [...FLAGS, '-o', GENERATOR, ...units, '-lm'], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** One measurement; resolves to the generator's JSON. It bounds its own time and rejects with its own words. */
export function measure(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(GENERATOR, [...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve({ ...JSON.parse(output), notes: errors.trim() });
      else reject(new Error(errors.trim() || `the generator ended with status ${code}`));
    });
  });
}
