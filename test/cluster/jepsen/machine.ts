import { spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SmallDisk } from '../../support/small-disk.js';
import type { Shims } from './shims.js';

/** What its broker asks it to sync: goes through, hangs, or fails with EIO. */
export type Syncs = 'through' | 'hold' | 'fail';

const diskMebibytes = 256;

/** What a broker runs on: a disk of its own that can be slow, failing and full, and a clock that can be wrong. */
export class Machine {
  readonly dataDir: string;
  /** What a broker on it is started with. */
  readonly wrapper: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Its disk is full or failing: a broker may end of that. */
  isBad = false;
  private readonly disk: SmallDisk;
  private readonly syncControl: string;
  private readonly clockControl: number;

  private constructor(disk: SmallDisk, shims: Shims, controls: string) {
    this.disk = disk;
    this.dataDir = join(disk.directory, 'data');
    this.wrapper = disk.wrapper;
    this.syncControl = `${controls}.syncs`;
    this.clockControl = openSync(`${controls}.clock`, 'w+');
    this.environment = {
      LD_PRELOAD: shims.preload,
      SYNC_SHIM_CONTROL: this.syncControl,
      SYNC_SHIM_PATH: this.dataDir,
      CLOCK_SHIM_CONTROL: `${controls}.clock`,
      // Its disk is small, and full on purpose.
      CHAPAR_LIMITS__DISK_FREE_MIN: String(8 * mebibyte),
      CHAPAR_STORE__RESERVE: String(24 * mebibyte),
    };
    this.syncs('through');
    this.clock(0);
  }

  /** `controls` is a path, to which endings are added. */
  static async make(shims: Shims, controls: string): Promise<Machine> {
    return new Machine(await SmallDisk.mount(diskMebibytes), shims, controls);
  }

  syncs(how: Syncs): void {
    this.isBad = how === 'fail';
    writeFileSync(this.syncControl, how);
  }

  /** The clock on the wall is wrong by so much from now on, backwards when it is less than zero. */
  clock(wrongByMs: number): void {
    const nanoseconds = Buffer.alloc(8);
    nanoseconds.writeBigInt64LE(BigInt(wrongByMs) * 1_000_000n);
    writeSync(this.clockControl, nanoseconds, 0, 8, 0);
  }

  /** Not a byte is free any more but what the broker has put aside. */
  fill(): Promise<void> {
    this.isBad = true;
    return this.run(`cat /dev/zero > ballast 2> /dev/null; [ -s ballast ]`);
  }

  async empty(): Promise<void> {
    await this.run('rm -f ballast');
    this.isBad = false;
  }

  /** A new disk in place of the old one. The broker has ended. */
  wipe(): Promise<void> {
    return this.run('rm -rf data');
  }

  /** The broker has ended. */
  async close(): Promise<void> {
    closeSync(this.clockControl);
    await this.disk.unmount();
  }

  private run(script: string): Promise<void> {
    const [program, ...args] = [...this.wrapper, 'sh', '-c', `cd "$0" && { ${script}; }`, this.disk.directory];
    return new Promise((resolve, reject) => {
      const child = spawn(program!, args, { stdio: 'ignore' }).once('error', reject);
      child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${script}: ${code}`))));
    });
  }
}

const mebibyte = 1024 * 1024;
