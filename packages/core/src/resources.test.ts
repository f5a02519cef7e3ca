import { createSimPlatform, type SimPlatform } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { Alarms } from './alarms.js';
import { RESOURCE_LIMITS, Resources } from './resources.js';

let platform: SimPlatform;
let alarms: Alarms;
let resources: Resources;

const raised = () => alarms.list().map(({ source }) => source);
/** Resident, all of it in use but what is there from the start on. */
function resident(bytes: number): void {
  platform.gauges.rss = bytes;
  platform.gauges.inUse = bytes - 50_000_000;
}
const advance = (ms: number) => platform.clock.advance(ms);

beforeEach(async () => {
  platform = createSimPlatform(1);
  await platform.settle(platform.disk.makeDirectory('/data'));
  platform.disk.capacityBytes = 1_000_000_000;
  alarms = new Alarms(platform.clock);
  resources = new Resources(platform, alarms, platform.log, { ...RESOURCE_LIMITS, dataDir: '/data' });
  await platform.settle(resources.start());
});

describe('memory', () => {
  it('raises at the watermark of resident memory, and clears a step below it', async () => {
    expect(resources.memoryBytesMax).toBe(2_400_000_000);
    await advance(1000);
    expect(raised()).toEqual([]);
    resident(2_400_000_001);
    await advance(300);
    expect(raised()).toEqual(['memory']);
    expect(alarms.isTold).toBe(true);
    expect(alarms.reason).toBe('memory is short: 2289 MiB of resident memory, 2289 MiB allowed');
    resident(2_300_000_000);
    await advance(1000);
    expect(raised()).toEqual(['memory']);
    resident(2_279_000_000);
    await advance(300);
    expect(raised()).toEqual([]);
    expect(platform.log.find('alarm: memory is short', 'warn')).toHaveLength(1);
    expect(platform.log.find('the alarm about memory is over', 'info')).toHaveLength(1);
  });

  it('raises at four fifths of the heap limit, however much memory there is', async () => {
    platform.gauges.heapUsed = 1_600_000_001;
    await advance(300);
    expect(alarms.reason).toContain('of JavaScript heap');
    platform.gauges.heapUsed = 1_500_000_000;
    await advance(300);
    expect(raised()).toEqual([]);
  });

  it('looks for garbage while memory is short, now and then', async () => {
    await advance(20_000);
    expect(platform.gauges.collections).toBe(0);
    resident(3_000_000_000);
    await advance(300);
    expect(platform.gauges.collections).toBe(1);
    await advance(10_000);
    expect(platform.gauges.collections).toBe(11);
  });

  it('does not take for used what the allocator keeps for later, up to half-way to the end', async () => {
    resident(2_500_000_000);
    await advance(300);
    expect(raised()).toEqual(['memory']);
    // Drained and collected, but not given back.
    platform.gauges.inUse = 100_000_000;
    await advance(300);
    expect(raised()).toEqual([]);
    await advance(5000);
    expect(raised()).toEqual([]);
    // Filled anew, into what was kept.
    platform.gauges.inUse = 2_300_000_000;
    await advance(300);
    expect(raised()).toEqual([]);
    platform.gauges.inUse = 2_360_000_000;
    await advance(300);
    expect(raised()).toEqual(['memory']);
    platform.gauges.rss = 3_200_000_001;
    platform.gauges.inUse = 1_200_000_000;
    await advance(300);
    expect(raised()).toEqual(['memory']);
    // Beyond that only a node that is nearly empty goes on.
    platform.gauges.inUse = 1_100_000_000;
    await advance(300);
    expect(raised()).toEqual([]);
  });

  it('takes what it is told for the memory that there is', () => {
    const limits = { ...RESOURCE_LIMITS, memoryBytes: 1_000_000, memoryWatermark: 0.5 };
    expect(new Resources(platform, alarms, platform.log, limits).memoryBytesMax).toBe(500_000);
  });
});

describe('disk', () => {
  it('raises below the minimum, and clears a tenth above it', async () => {
    expect(resources.diskFreeBytes).toBe(1_000_000_000);
    platform.disk.capacityBytes = 49_000_000;
    await advance(1100);
    expect(raised()).toEqual(['disk']);
    expect(alarms.reason).toBe('disk space is short: 47 MiB free in the data directory, 48 MiB needed');
    platform.disk.capacityBytes = 54_000_000;
    await advance(1100);
    expect(raised()).toEqual(['disk']);
    platform.disk.capacityBytes = 56_000_000;
    await advance(1100);
    expect(raised()).toEqual([]);
    expect(resources.diskFreeBytes).toBe(56_000_000);
  });

  it('goes on with what it knows when the disk does not answer', async () => {
    await platform.settle(platform.disk.makeDirectory('/gone'));
    const elsewhere = new Resources(platform, alarms, platform.log, { ...RESOURCE_LIMITS, dataDir: '/nowhere' });
    await platform.settle(elsewhere.start());
    expect(elsewhere.diskFreeBytes).toBeNull();
    expect(raised()).toEqual([]);
    expect(platform.log.find('could not be found out', 'warn')).toHaveLength(1);
    elsewhere.stop();
  });

  it('stops looking', async () => {
    resources.stop();
    platform.disk.capacityBytes = 1;
    platform.gauges.rss = 4_000_000_000;
    await advance(5000);
    expect(raised()).toEqual([]);
  });
});
