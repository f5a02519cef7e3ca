// How long a broker takes to start on what an earlier life left: fill, end it, start it again on the same data, count.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { measure } from './generator.mjs';

const QUEUE = 'bench.kept';

function sizeOnDisk(directory) {
  return 1024 * Number(execFileSync('du', ['-sk', directory], { encoding: 'utf8' }).split('\t')[0]);
}

function rssBytes(pid) {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return 1024 * Number(kibibytes);
}

/** `broker` has just been started on an empty directory. What is on the disk is still in the kernel's cache, for every broker alike. */
export async function measureRestart(row, broker) {
  const { args, restart: end } = row;
  const target = () => ['--port', `${broker.port}`, '--broker-pid', `${broker.pid}`, '--keep', QUEUE, '--warmup', '0'];
  // Twice, so that files of the program itself are in the cache and the empty start is comparable.
  await broker.end('clean');
  const emptyStartSeconds = await broker.startAgain();
  const filled = await measure([...args, ...target(), '--seconds', '1']);
  await broker.end(end);
  const dataBytes = sizeOnDisk(broker.dataDirectory);
  const restartSeconds = await broker.startAgain();
  const rss = rssBytes(broker.pid);
  const { found } = await measure([...args, '--backlog', '0', ...target(), '--seconds', '1']);
  const missing = filled.messages - found;
  return { ...filled, restartSeconds, emptyStartSeconds, dataBytes, rssBytes: rss, missing, peakRssBytes: Number.NaN };
}
