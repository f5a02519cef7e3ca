import { spawn, spawnSync } from 'node:child_process';

/** The first line that `program --version` (or `program version`) prints, or null when there is no such program. */
export function versionOf(program: string, argument = '--version'): string | null {
  const { status, stdout } = spawnSync(program, [argument], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0]! : null;
}

export interface RunOptions {
  cwd?: string;
  environment?: Record<string, string>;
  /** After so many seconds it is killed and the promise rejects. */
  seconds?: number;
}

export interface Outcome {
  code: number | null;
  /** stdout and stderr, as they came. */
  output: string;
}

/** Runs a program to its end, whatever its exit code. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { cwd, environment = {}, seconds = 60 } = options;
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment };
    const child = spawn(program!, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command.join(' ')} did not end within ${seconds} s; it printed:\n${output}`));
    }, seconds * 1000);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

/** Runs a program and rejects, with what it printed, unless it exits with 0. */
export async function runWell(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, output } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}; it printed:\n${output}`);
  return output;
}
