import { expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { whyNoSmallDisk } from '../support/small-disk.js';
import { playRound } from './jepsen/round.js';
import { settingsFrom } from './jepsen/settings.js';
import { whyNoShims } from './jepsen/shims.js';
import { whyNoNamespaces } from './landscape/namespaces.js';
import { cannotWork } from './under-work.js';

const settings = settingsFrom(process.env);
const [noDisk, noShims] = [whyNoSmallDisk(), whyNoShims()];
const cannot =
  (await cannotWork()) ||
  skipUnless(whyNoNamespaces === null, whyNoNamespaces ?? '') ||
  skipUnless(noDisk === null, `no file system can be mounted in a namespace here: ${noDisk}`) ||
  skipUnless(noShims === null, `libraries for disks and clocks cannot be made: ${noShims}`);

const timeout = (settings.seconds + 420) * 1000;
const seeds = Array.from({ length: settings.rounds }, (_, i) => settings.seed + i);

test.skipIf(cannot).each(seeds)(
  'a cluster keeps its word while everything goes wrong, seed %i',
  { timeout },
  async (seed) => {
    console.log(
      `jepsen: seed ${seed}, ${settings.seconds} s, ${settings.queueType} queues, ${settings.nemesis.join(',')}`,
    );
    const { faults, summary, report, confirmed, mqttAcked } = await playRound(settings, seed);
    console.log(faults.length === 0 && settings.keep === null ? summary : report);
    expect(faults).toEqual([]);
    // That it was worth the while.
    expect(confirmed).toBeGreaterThan(settings.seconds * 20);
    if (mqttAcked !== null) expect(mqttAcked).toBeGreaterThan(settings.seconds * 4);
  },
);
