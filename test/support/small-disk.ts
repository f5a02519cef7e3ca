import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why a file system of its own cannot be mounted here; null when it can. */
export function whyNoSmallDisk(): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'chapar-mount-'));
  const mount = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory];
  const tried = spawnSync('unshare', ['-m', 'nsenter', '--version']);
  const mounted = tried.status === 0 ? spawnSync('unshare', ['-m', ...mount]) : tried;
  rmSync(directory, { recursive: true });
  if (mounted.error !== undefined) return mounted.error.message;
  return mounted.status === 0 ? null : String(mounted.stderr).trim();
}

/** A file system of a few mebibytes, seen only by programs that are started with `wrapper`; it outlives them. */
export class SmallDisk {
  readonly directory: string;
  readonly wrapper: readonly string[];
  private readonly holder: ChildProcess;

  private constructor(directory: string, holder: ChildProcess) {
    this.directory = directory;
    this.holder = holder;
    this.wrapper = ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`];
  }

  static async mount(mebibytes: number): Promise<SmallDisk> {
    const directory = mkdtempSync(join(tmpdir(), 'chapar-small-'));
    // The mount namespace lives as long as this process, which ends when we do: its input is a pipe of ours.
    const script = `mount -t tmpfs -o size=${mebibytes}m tmpfs "$0" && echo mounted && exec cat`;
    const stdio: ['pipe', 'pipe', 'inherit'] = ['pipe', 'pipe', 'inherit'];
    const holder = spawn('unshare', ['-m', 'sh', '-c', script, directory], { stdio });
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve());
      holder.once('exit', (code) => reject(new Error(`mounting a file system ended with ${code}`)));
    });
    return new SmallDisk(directory, holder);
  }

  async unmount(): Promise<void> {
    const ended = new Promise((resolve) => this.holder.once('exit', resolve));
    this.holder.stdin!.end();
    await ended;
    rmSync(this.directory, { recursive: true });
  }
}
