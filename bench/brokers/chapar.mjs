// Chapar from a checkout: the working tree, or another commit in a worktree of its own.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../options.mjs';
import { end, freePorts, start, stop, timeStart, untilListening } from './child.mjs';
import { listenerPid } from './listener.mjs';

// The first start may install and build.
const START_SECONDS_MAX = 300;
const STOP_SECONDS_MAX = 40;

function startCommand(program, dataDir, amqpPort, managementPort) {
  const listen = [`amqp=127.0.0.1:${amqpPort}`, `management=127.0.0.1:${managementPort}`];
  const args = [...program, '--data-dir', dataDir, ...listen.flatMap((address) => ['--listen', address])];
  return { command: process.execPath, args };
}

function commitOf(checkout) {
  const git = (...args) => execFileSync('git', args, { cwd: checkout, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
  return git('rev-parse', '--short', 'HEAD') + changed;
}

export class Chapar {
  constructor(name, checkout) {
    this.name = name;
    this.checkout = checkout;
  }

  describe() {
    const { version } = JSON.parse(readFileSync(join(this.checkout, 'package.json'), 'utf8'));
    return `Chapar ${version} (${commitOf(this.checkout)}) on Node ${process.version}`;
  }

  async start() {
    this.directory = mkdtempSync(join(tmpdir(), 'chapar-bench-'));
    const [amqpPort, managementPort] = await freePorts(2);
    this.dataDirectory = join(this.directory, 'data');
    this.ports = [amqpPort, managementPort];
    // Installs and builds what is missing.
    this.running = this.spawn(['tools/start.mjs']);
    await untilListening(this.running, amqpPort, START_SECONDS_MAX);
    this.port = amqpPort;
    this.pid = listenerPid(amqpPort);
  }

  spawn(program) {
    const { command, args } = startCommand(program, this.dataDirectory, ...this.ports);
    const logFile = join(this.directory, 'log');
    return start(command, args, { cwd: this.checkout, env: process.env, logFile });
  }

  /** Ends the process and keeps its data. */
  async end(how) {
    await end(this.running, this.pid, how, STOP_SECONDS_MAX);
  }

  /** Starts on what is there, on the same ports. Resolves to the seconds that it took until the port answered. */
  async startAgain() {
    const program = ['packages/server/bin/chapar.mjs', 'start'];
    const { running, seconds } = await timeStart(() => this.spawn(program), this.port, START_SECONDS_MAX);
    this.running = running;
    this.pid = listenerPid(this.port);
    return seconds;
  }

  async stop() {
    if (this.running) await stop(this.running, STOP_SECONDS_MAX);
    if (this.directory) rmSync(this.directory, { recursive: true, force: true });
    this.running = this.directory = undefined;
  }

  dispose() {}
}

/** The commit that a name stands for; throws a UsageError when there is none. */
function resolveCommit(ref, repository) {
  const args = ['rev-parse', '--verify', '--quiet', '--short', `${ref}^{commit}`];
  const { status, stdout } = spawnSync('git', args, { cwd: repository, encoding: 'utf8' });
  if (status !== 0) throw new UsageError(`--against ${ref}: there is no such commit`);
  return stdout.trim();
}

/** Chapar as of a commit, installed and built in a temporary worktree that `dispose` removes. */
export class ChaparAt extends Chapar {
  constructor(ref, repository) {
    const commit = resolveCommit(ref, repository);
    super(
      ref === commit ? ref : `${ref} (${commit})`,
      join(mkdtempSync(join(tmpdir(), 'chapar-bench-ref-')), 'checkout'),
    );
    this.repository = repository;
    const run = (command, args, cwd) =>
      execFileSync(command, args, { cwd, stdio: ['ignore', process.stderr.fd, process.stderr.fd] });
    try {
      run('git', ['worktree', 'add', '--detach', this.checkout, commit], repository);
      process.stderr.write(`installing and building ${commit} ...\n`);
      // Not `npm ci`: the lock file of an old commit may be one that it refuses.
      run('npm', ['install', '--no-save', '--no-audit', '--no-fund'], this.checkout);
      run('npm', ['run', 'build'], this.checkout);
    } catch (error) {
      this.dispose();
      throw new UsageError(`${commit} could not be checked out, installed and built: ${error.message}`);
    }
  }

  dispose() {
    spawnSync('git', ['worktree', 'remove', '--force', this.checkout], { cwd: this.repository, stdio: 'ignore' });
    rmSync(join(this.checkout, '..'), { recursive: true, force: true });
  }
}
