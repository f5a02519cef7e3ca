import { SimDisk } from '@chapar/platform';
import { WalQueueLog } from '../../../packages/store/src/queue-log.js';
import { Wal } from '../../../packages/store/src/wal.js';
import { type Mutant, replace } from './mutant.js';

/** Faults in what one node keeps. */
export const mutantsOfTheStore: readonly Mutant[] = [
  {
    name: 'a sync is reported as done and was not',
    scenario: 'random-alone',
    seedsMax: 20,
    plant: () => replace(SimDisk.prototype, 'syncFile', () => () => undefined),
  },
  {
    name: 'a message counts as committed when it is handed to the log',
    scenario: 'alone-power',
    seedsMax: 5,
    plant: () =>
      replace(
        WalQueueLog.prototype,
        'publish',
        (original) =>
          function (this: never, ...args: never[]) {
            const position = original.apply(this, args) as number;
            const log = this as unknown as { onCommitted: ((position: number) => void) | null };
            queueMicrotask(() => log.onCommitted?.(position));
            return position;
          },
      ),
  },
  {
    name: 'what may have been delivered before a crash is not flagged',
    scenario: 'random-alone',
    seedsMax: 20,
    plant: () =>
      replace(
        Wal.prototype,
        'recover',
        (original) =>
          async function (this: never) {
            const queues = (await original.apply(this, [])) as object[];
            return queues.map((queue) => Object.assign(Object.create(queue) as object, { deliveredUpTo: 0 }));
          },
      ),
  },
  {
    name: 'settlements do not come to the disk',
    scenario: 'random-alone',
    seedsMax: 20,
    plant: () => replace(WalQueueLog.prototype, 'settle', () => () => undefined),
  },
];
