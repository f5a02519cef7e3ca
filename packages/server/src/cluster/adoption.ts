import {
  AdoptError,
  type Adoption,
  adopt,
  BulkInterruptedError,
  EtcdClient,
  EtcdError,
  JoinRefusedError,
} from '@chapar/cluster';
import { createNodePlatform, DirectoryLockedError } from '@chapar/platform';
import { readIdentity } from '@chapar/store';
import { CommandError } from '../cli/command-error.js';
import type { MembershipOptions } from '../config/membership-options.js';
import { readSecrets } from './secrets.js';

/** Makes a cluster anew in etcd from a data directory. All failures that were foreseen are CommandErrors. */
export async function adoptInto(
  belongs: MembershipOptions,
  directory: string,
  force: boolean,
  plan: boolean,
): Promise<Adoption> {
  const { clock, random, disk, log } = createNodePlatform({ log: { level: 'warn', destination: 2, pretty: true } });
  const { etcdTls: tls, etcdAuth: auth } = await readSecrets(belongs);
  const { dataId } = await readIdentity(disk, directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new CommandError(`${directory} is not a data directory of Chapar.`, 'Correct --data-dir.');
  });
  const etcd = new EtcdClient({ endpoints: belongs.etcd, tls, auth, clock, log });
  try {
    return await adopt({ etcd, clock, log, random, disk, directory, dataId, prefix: belongs.prefix, force, plan });
  } catch (error) {
    throw inWords(error, belongs.etcd);
  } finally {
    etcd.close();
  }
}

function inWords(error: unknown, endpoints: readonly string[]): unknown {
  if (error instanceof AdoptError || error instanceof JoinRefusedError) return new CommandError(error.message, '');
  if (error instanceof BulkInterruptedError)
    return new CommandError(error.message, 'Look what else is going on, and run it again.');
  if (error instanceof EtcdError) {
    return new CommandError(
      `etcd at ${endpoints.join(', ')} cannot be used: ${error.message}`,
      'Correct --etcd, or bring it back.',
    );
  }
  if (error instanceof DirectoryLockedError) {
    const holder = error.holderPid === null ? 'a broker' : `a broker (process ${error.holderPid})`;
    return new CommandError(`the data directory is held by ${holder}.`, 'Stop it first.');
  }
  return error;
}
