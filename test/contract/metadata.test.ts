import { metadataContract } from './metadata.contract.js';
import { SimClusterMetadata } from './sim-cluster-metadata.js';
import { SimStore } from './sim-store.js';

metadataContract('the embedded store', async () => new SimStore());
metadataContract(
  'the embedded store that rewrites its file all the time',
  async () => new SimStore(2, { metadata: { rewriteBytesMin: 0, rewriteFactor: 1 } }),
);
metadataContract('metadata in etcd', async () => new SimClusterMetadata());
