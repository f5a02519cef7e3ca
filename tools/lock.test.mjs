import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.mjs';

let directory;
let file;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'chapar-lock-'));
  file = path.join(directory, 'lock');
});
afterEach(() => rmSync(directory, { recursive: true }));

const nobodyWaits = () => {
  throw new Error('waited');
};

test('one holder at a time, across processes, and each says whom it waits for', async () => {
  const log = path.join(directory, 'log');
  const child = `
    import { appendFileSync } from 'node:fs';
    import { withLock } from ${JSON.stringify(new URL('./lock.mjs', import.meta.url).href)};
    await withLock(${JSON.stringify(file)}, async () => {
      appendFileSync(${JSON.stringify(log)}, 'in ');
      await new Promise((resolve) => setTimeout(resolve, 100));
      appendFileSync(${JSON.stringify(log)}, 'out ');
    }, (pid) => console.log('waiting for', pid));`;
  const ended = [1, 2, 3, 4].map(
    () =>
      new Promise((resolve) => {
        const started = spawn(process.execPath, ['--input-type=module', '-e', child], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let output = '';
        started.stdout.on('data', (chunk) => (output += chunk));
        started.once('close', (code) => resolve({ code, output, pid: started.pid }));
      }),
  );
  const results = await Promise.all(ended);
  expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  expect(readFileSync(log, 'utf8')).toBe('in out in out in out in out ');
  const waited = results.filter(({ output }) => output !== '');
  expect(waited.length).toBeGreaterThan(0);
  for (const { output } of waited)
    expect(results.map(({ pid }) => pid)).toContain(Number(/waiting for (\d+)/.exec(output)?.[1]));
  expect(existsSync(file)).toBe(false);
});

test('a holder that died does not hold', async () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(file, JSON.stringify({ pid: dead, started: '1' }));
  expect(await withLock(file, async () => 'done', nobodyWaits)).toBe('done');
});

test('another process that got the number of a dead holder does not hold either', async () => {
  writeFileSync(file, JSON.stringify({ pid: process.pid, started: 'long ago' }));
  expect(await withLock(file, async () => 'done', nobodyWaits)).toBe('done');
});

test('half a lock file does not hold', async () => {
  writeFileSync(file, '{"pid":');
  expect(await withLock(file, async () => 'done', nobodyWaits)).toBe('done');
});

test('it is given back when the work fails', async () => {
  await expect(withLock(file, () => Promise.reject(new Error('no')), nobodyWaits)).rejects.toThrow('no');
  expect(existsSync(file)).toBe(false);
});
