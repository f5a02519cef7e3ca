import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skipUnless } from '../../support/skip.js';
import { whyNoSmallDisk } from '../../support/small-disk.js';
import { Machine } from './machine.js';
import { Shims, whyNoShims } from './shims.js';

const [noDisk, noShims] = [whyNoSmallDisk(), whyNoShims()];
const cannot =
  skipUnless(noDisk === null, `no file system can be mounted in a namespace here: ${noDisk}`) ||
  skipUnless(noShims === null, `libraries for disks and clocks cannot be made: ${noShims}`);

/** Does with its line what a broker does all the time, and says how that went. */
const program = `
  const fs = require('node:fs');
  const path = require('node:path');
  fs.mkdirSync(process.argv[1], { recursive: true });
  const fd = fs.openSync(path.join(process.argv[1], 'file'), 'w');
  const done = (error) => console.log(error ? error.code : 'done');
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'sync') fs.fdatasync(fd, done);
    else if (line === 'write') fs.write(fd, Buffer.alloc(65536), done);
    else if (line === 'time') console.log(Date.now());
    else console.log(performance.now());
  });`;

describe.skipIf(cannot)('a machine whose', () => {
  let shims: Shims;
  let controls: string;
  let machine: Machine;
  let ask: (what: 'sync' | 'write' | 'time' | 'monotonic') => Promise<string>;
  let end: () => Promise<void>;

  beforeEach(async () => {
    shims = Shims.compile();
    controls = mkdtempSync(join(tmpdir(), 'chapar-controls-'));
    machine = await Machine.make(shims, join(controls, 'a'));
    const [command, ...args] = [...machine.wrapper, process.execPath, '-e', program, machine.dataDir];
    const child = spawn(command!, args, {
      env: { ...process.env, ...machine.environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines: Interface = createInterface({ input: child.stdout });
    ask = async (what) => {
      child.stdin.write(`${what}\n`);
      const [line] = (await once(lines, 'line')) as [string];
      return line;
    };
    end = async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    };
  });
  afterEach(async () => {
    await end();
    await machine.close();
    rmSync(controls, { recursive: true });
    shims.remove();
  });

  test('clock is wrong, both ways, and right again, and goes on evenly for who measures', async () => {
    const before = Number(await ask('monotonic'));
    for (const byMs of [-3_600_000, 86_400_000, 0]) {
      machine.clock(byMs);
      expect(Math.abs(Number(await ask('time')) - Date.now() - byMs)).toBeLessThan(1000);
    }
    const passed = Number(await ask('monotonic')) - before;
    expect(passed).toBeGreaterThanOrEqual(0);
    expect(passed).toBeLessThan(10_000);
  });

  test('disk is full, and has room again', async () => {
    expect(await ask('write')).toBe('done');
    await machine.fill();
    expect(machine.isBad).toBe(true);
    expect(await ask('write')).toBe('ENOSPC');
    await machine.empty();
    expect(await ask('write')).toBe('done');
    expect(machine.isBad).toBe(false);
  });

  test('syncs fail, hang and go through', async () => {
    expect(await ask('sync')).toBe('done');
    machine.syncs('fail');
    expect(await ask('sync')).toBe('EIO');
    machine.syncs('hold');
    const hanging = ask('sync');
    expect(await Promise.race([hanging, sleep(500, 'hangs')])).toBe('hangs');
    machine.syncs('through');
    expect(await hanging).toBe('done');
  });
});
