import type { Log, Platform, Timer } from '@chapar/platform';
import type { Alarms } from './alarms.js';

/** How much of its machine a node may take before its publishers have to wait. */
export interface ResourceLimits {
  /** Share of the memory that the process may have resident. */
  readonly memoryWatermark: number;
  /** What the share is of. Null: the machine's memory or the cgroup's limit, whichever is smaller. Bytes. */
  readonly memoryBytes: number | null;
  /** What has to stay free where the data is. Bytes. */
  readonly diskFreeBytesMin: number;
  /** Where the data is. Null: nothing is kept, so no disk is watched. */
  readonly dataDir: string | null;
}

export const RESOURCE_LIMITS: ResourceLimits = {
  memoryWatermark: 0.6,
  memoryBytes: null,
  diskFreeBytesMin: 50_000_000,
  dataDir: null,
};

/** Memory can be filled at half a gigabyte a second, and between the alarm and the end there may be less than that. */
const memoryEveryMs = 250;
/** The disk is asked every so many looks at the memory. */
const diskEvery = 4;
/** The engine ends the process at its own limit, however much memory the machine has. */
const heapShareMax = 0.8;
/** An alarm ends a step away from where it began, or it would come and go. */
const memoryClearShare = 0.95;
const diskClearFactor = 1.1;
/** While memory is short and nothing happens, garbage is not found by itself. Looking for it takes a while, of which this much is left for work. */
const collectEveryMs = 1_000;
const collectShareMax = 0.05;

/** Watches memory and disk, and raises the alarms `memory` and `disk` that hold publishers back. */
export class Resources {
  readonly limits: ResourceLimits;
  /** Free where the data is, as last seen; null before the first look and without a disk to watch. Bytes. */
  diskFreeBytes: number | null = null;
  private readonly platform: Pick<Platform, 'clock' | 'gauges' | 'disk'>;
  private readonly alarms: Alarms;
  private readonly log: Log;
  private timer: Timer | null = null;
  private looks = 0;
  private isAskingDisk = false;
  private collectAfterMs = Number.NEGATIVE_INFINITY;
  /** Resident from the start on, beside what the engine counts: code, stacks. Bytes. */
  private otherBytes = 0;
  /** Resident, and kept by the allocator for later: found while memory was short. Bytes. */
  private keptBytes = 0;

  constructor(
    platform: Pick<Platform, 'clock' | 'gauges' | 'disk'>,
    alarms: Alarms,
    log: Log,
    limits: ResourceLimits = RESOURCE_LIMITS,
  ) {
    this.platform = platform;
    this.alarms = alarms;
    this.log = log;
    this.limits = limits;
  }

  /** Takes the first look at both, then goes on looking until `stop`. */
  async start(): Promise<void> {
    const { gauges } = this.platform;
    this.otherBytes = Math.max(0, gauges.rssBytes() - gauges.inUseBytes());
    this.lookAtMemory();
    await this.lookAtDisk();
    this.timer = this.platform.clock.every(memoryEveryMs, () => {
      this.lookAtMemory();
      if (++this.looks % diskEvery === 0) void this.lookAtDisk();
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** Resident bytes of the process. */
  get memoryUsedBytes(): number {
    return this.platform.gauges.rssBytes();
  }

  /** Where the alarm `memory` begins. Resident bytes. */
  get memoryBytesMax(): number {
    const all = this.limits.memoryBytes ?? this.platform.gauges.memoryBytes();
    return Math.floor(all * this.limits.memoryWatermark);
  }

  private lookAtMemory(): void {
    const { gauges } = this.platform;
    const { usedBytes, limitBytes } = gauges.heap();
    const heap = { name: 'JavaScript heap', used: usedBytes, max: Math.floor(limitBytes * heapShareMax) };
    const isRaised = this.alarms.has('memory');
    const rss = { name: 'resident memory', used: this.takenBytes(isRaised), max: this.memoryBytesMax };
    const short = [rss, heap].find(({ used, max }) => used > max * (isRaised ? memoryClearShare : 1));
    if (short === undefined) {
      this.clear('memory', { rssBytes: rss.used, heapBytes: heap.used });
      return;
    }
    this.raise('memory', `memory is short: ${mib(short.used)} of ${short.name}, ${mib(short.max)} allowed`, {
      usedBytes: short.used,
      allowedBytes: short.max,
      of: short.name,
    });
    this.collect();
  }

  /**
   * Resident bytes without those that the allocator keeps for later: it seldom gives back what was filled once, so a node that was
   * drained would be short of memory for ever. What it keeps can be told from what is used only roughly, so half-way from
   * the watermark to the end of the memory it is taken for free only when the node is nearly empty.
   */
  private takenBytes(isRaised: boolean): number {
    const { gauges } = this.platform;
    const rss = gauges.rssBytes();
    const all = this.limits.memoryBytes ?? gauges.memoryBytes();
    const kept = Math.max(0, rss - gauges.inUseBytes() - this.otherBytes);
    const isFarAbove = rss > (all + this.memoryBytesMax) / 2;
    if (isFarAbove && rss - kept > this.memoryBytesMax / 2) return rss;
    this.keptBytes = isRaised ? kept : Math.min(kept, this.keptBytes);
    return rss - this.keptBytes;
  }

  private collect(): void {
    const { clock, gauges } = this.platform;
    const beganMs = clock.monotonicMs();
    if (beganMs < this.collectAfterMs) return;
    gauges.collectGarbage();
    const endMs = clock.monotonicMs();
    this.collectAfterMs = endMs + Math.max(collectEveryMs, (endMs - beganMs) / collectShareMax);
  }

  /** A disk that does not answer is asked once at a time; what was known of it stays. */
  private async lookAtDisk(): Promise<void> {
    const { dataDir, diskFreeBytesMin } = this.limits;
    if (dataDir === null || this.isAskingDisk) return;
    this.isAskingDisk = true;
    try {
      const free = await this.platform.disk.freeBytes(dataDir);
      this.diskFreeBytes = free;
      const needed = diskFreeBytesMin * (this.alarms.has('disk') ? diskClearFactor : 1);
      if (free >= needed) this.clear('disk', { freeBytes: free });
      else {
        const reason = `disk space is short: ${mib(free)} free in the data directory, ${mib(diskFreeBytesMin)} needed`;
        this.raise('disk', reason, { freeBytes: free, neededBytes: diskFreeBytesMin });
      }
    } catch (error) {
      this.log.warn({ error, directory: dataDir }, 'how much disk space is free could not be found out');
    }
    this.isAskingDisk = false;
  }

  private raise(source: 'memory' | 'disk', reason: string, fields: object): void {
    if (this.alarms.has(source)) return;
    this.log.warn({ alarm: source, ...fields }, `alarm: ${reason}; publishers wait until it is over`);
    this.alarms.raise(source, reason);
  }

  private clear(source: 'memory' | 'disk', fields: object): void {
    const alarm = this.alarms.list().find((each) => each.source === source);
    if (alarm === undefined) return;
    const seconds = Math.round((this.platform.clock.wallMs() - alarm.sinceMs) / 1000);
    this.log.info({ alarm: source, seconds, ...fields }, `the alarm about ${source} is over; publishers go on`);
    this.alarms.clear(source);
  }
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)} MiB`;
}
