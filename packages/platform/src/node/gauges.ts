import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Gauges } from '../gauges.js';
import { cgroupMemoryBytes } from './cgroup.js';

/** Limits of a cgroup can be changed while a process runs in it. */
const limitKeptMs = 10_000;

/** This process on this machine. */
export class NodeGauges implements Gauges {
  private limitBytes = 0;
  private limitReadMs = Number.NEGATIVE_INFINITY;
  private collect: (() => void) | null = null;

  rssBytes(): number {
    return process.memoryUsage.rss();
  }

  inUseBytes(): number {
    const { total_physical_size: heapBytes, external_memory: externalBytes } = getHeapStatistics();
    return heapBytes + externalBytes;
  }

  heap(): { usedBytes: number; limitBytes: number } {
    const { used_heap_size: usedBytes, heap_size_limit: limitBytes } = getHeapStatistics();
    return { usedBytes, limitBytes };
  }

  memoryBytes(): number {
    const nowMs = performance.now();
    if (nowMs - this.limitReadMs >= limitKeptMs) {
      this.limitReadMs = nowMs;
      this.limitBytes = Math.min(totalmem(), cgroupMemoryBytes(readText));
    }
    return this.limitBytes;
  }

  collectGarbage(): void {
    this.collect ??= exposedCollector();
    this.collect();
  }
}

/** The engine shows its collector to contexts that are made while the flag is set. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}
