import { queueLogContract } from './queue-log.contract.js';
import { SimStore } from './sim-store.js';

queueLogContract('the embedded store', async () => new SimStore());
// Files so small that every few messages begin a new one and old ones are emptied all the time.
queueLogContract(
  'the embedded store with tiny files',
  async () => new SimStore(2, { wal: { fileBytesMax: 256, bytesMin: 1024 } }),
);
queueLogContract(
  'the embedded store with a checkpoint every now and then',
  async () => new SimStore(3, { wal: { fileBytesMax: 1024, checkpointBytes: 300, stopCheckpointBytes: 1 } }),
);
