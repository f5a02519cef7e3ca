import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryLockedError } from '../disk.js';
import { lockDirectory } from './directory-lock.js';
import { type LockHolder, self } from './lock-holder.js';

const starter = fileURLToPath(new URL('./fixtures/lock-starter.mjs', import.meta.url));

let compiled: string;
let directory: string;
let children: ChildProcess[] = [];

// Other processes cannot run the sources as vitest does, so the three files that they need are compiled for them.
beforeAll(async () => {
  compiled = await mkdtemp(join(tmpdir(), 'chapar-lock-code-'));
  await mkdir(join(compiled, 'node'));
  await writeFile(join(compiled, 'package.json'), '{"type":"module"}');
  for (const file of ['disk', 'node/directory-lock', 'node/lock-holder']) {
    const source = await readFile(fileURLToPath(new URL(`../${file}.ts`, import.meta.url)), 'utf8');
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    await writeFile(join(compiled, `${file}.js`), ts.transpileModule(source, { compilerOptions }).outputText);
  }
});
afterAll(() => rm(compiled, { recursive: true }));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chapar-lock-'));
});
afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  children = [];
  await rm(directory, { recursive: true });
});

/** A process of its own that takes the lock when told to. */
async function start(): Promise<ChildProcess> {
  const child = fork(starter, [join(compiled, 'node/directory-lock.js'), directory]);
  children.push(child);
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess): Promise<string> {
  child.send('lock');
  const [answer] = await once(child, 'message');
  return answer as string;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function leave(holder: Partial<LockHolder>): Promise<void> {
  await writeFile(join(directory, 'lock.7'), JSON.stringify({ ...(await self('nonce')), ...holder }));
}

describe('directory lock', () => {
  it('names the holder, and is free again when its process was killed', async () => {
    const child = await start();
    expect(await ask(child)).toBe('locked');
    const refusal = await lockDirectory(directory).catch((error) => error);
    expect(refusal).toBeInstanceOf(DirectoryLockedError);
    expect(refusal.holderPid).toBe(child.pid);
    await killed(child);
    const lock = await lockDirectory(directory);
    await lock.release();
  });

  it('goes to exactly one of many who find a dead holder at the same moment', async () => {
    const contenders = await Promise.all([start(), start(), start(), start()]);
    for (let round = 0; round < 5; round++) {
      const dead = await start();
      expect(await ask(dead)).toBe('locked');
      await killed(dead);
      const answers = await Promise.all(contenders.map(ask));
      expect(answers.filter((answer) => answer === 'locked')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'in use')).toHaveLength(3);
      const winner = contenders[answers.indexOf('locked')]!;
      winner.send('release');
      await once(winner, 'message');
    }
  });

  it('goes to exactly one of many within a process', async () => {
    const takes = await Promise.allSettled(Array.from({ length: 20 }, () => lockDirectory(directory)));
    const held = takes.flatMap((take) => (take.status === 'fulfilled' ? [take.value] : []));
    expect(held).toHaveLength(1);
    await held[0]!.release();
  });

  it('does not take a later process with the same pid for the holder', async () => {
    await leave({ startTicks: '1' });
    await (await lockDirectory(directory)).release();
    await leave({ pid: 2 ** 22 + 1, startTicks: null });
    await (await lockDirectory(directory)).release();
  });

  it('refuses while the holder lives', async () => {
    await leave({});
    await expect(lockDirectory(directory)).rejects.toBeInstanceOf(DirectoryLockedError);
  });

  it('waits for a sign of life from a holder in another container, and takes over when there is none', async () => {
    await leave({ realm: 'elsewhere', pid: 1 });
    await expect(lockDirectory(directory, 400)).resolves.toBeDefined();
  });

  it('sees the sign of life of a holder in another container', async () => {
    const lock = await lockDirectory(directory);
    // Its heart beats on; only its process cannot be seen.
    const [name] = await readdir(directory);
    const holder = JSON.parse(await readFile(join(directory, name!), 'utf8')) as LockHolder;
    await writeFile(join(directory, name!), JSON.stringify({ ...holder, realm: 'elsewhere' }));
    await expect(lockDirectory(directory)).rejects.toBeInstanceOf(DirectoryLockedError);
    await lock.release();
    await (await lockDirectory(directory)).release();
  });

  it('does not collect files', async () => {
    for (let i = 0; i < 10; i++) await (await lockDirectory(directory)).release();
    expect((await readdir(directory)).sort()).toEqual(['lock.10', 'lock.9']);
  });

  it('takes over what is damaged', async () => {
    await writeFile(join(directory, 'lock.3'), '{"pid":');
    const lock = await lockDirectory(directory);
    expect(await readdir(directory)).toContain('lock.4');
    await lock.release();
  });
});
