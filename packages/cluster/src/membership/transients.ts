import type { MetadataEntry } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import { type Etcd, type EtcdCompare, type EtcdOp, noKeyBetween } from '../etcd/etcd.js';
import type { Mirror } from '../mirror.js';
import { nodeKey } from '../session.js';
import { chunksOf, commit } from './bulk.js';
import { metadataRoom } from './records.js';

/** Exchanges that live as long as any node does, and the bindings at them. */
export function transientRecords(mirror: Mirror): MetadataEntry[] {
  const exchanges = mirror.under(`${metadataRoom}exchanges/`).filter(({ value }) => {
    return typeof value === 'object' && value !== null && 'transient' in value && value.transient === true;
  });
  if (exchanges.length === 0) return [];
  const names = new Set(exchanges.map(({ key }) => pathOf(key).slice(1).join('/')));
  const bindings = mirror.under(`${metadataRoom}bindings/`).filter(({ key }) => {
    const [, vhost, source, kind, destination] = pathOf(key);
    return names.has(`${vhost}/${source}`) || (kind === 'exchange' && names.has(`${vhost}/${destination}`));
  });
  // Bindings first: a cut in the middle leaves an exchange that is found again.
  return [...bindings, ...exchanges];
}

/** Still encoded, so that no name can look like two. */
const pathOf = (key: string): string[] => key.slice(metadataRoom.length).split('/');

/**
 * Erases them before this node is registered, when no other node is: they have outlived everybody who used them. As soon as another
 * node is registered nothing more goes. Returns how many went. Rejects with EtcdError.
 */
export async function eraseTransients(
  etcd: Etcd,
  clock: Clock,
  prefix: string,
  mirror: Mirror,
  node: string,
): Promise<number> {
  const records = transientRecords(mirror);
  const chunks = chunksOf(records, ({ key }) => 2 * (prefix.length + key.length));
  let erased = 0;
  for (const chunk of chunks) {
    const deletes = chunk.map((record) => deleteAsSeen(prefix, record));
    if (!(await commit(etcd, clock, noOtherNode(prefix, node), deletes))) return erased;
    erased += chunk.length;
  }
  return erased;
}

function deleteAsSeen(prefix: string, { key, revision }: MetadataEntry): EtcdOp {
  const asSeen = { key: prefix + key, of: 'mod', is: 'equal', revision } as const;
  return { kind: 'txn', txn: { compare: [asSeen], success: [{ kind: 'delete', key: asSeen.key }], failure: [] } };
}

/** Under our own name may still be our last life. */
function noOtherNode(prefix: string, node: string): EtcdCompare[] {
  const nodes = prefix + nodeKey('');
  const own = prefix + nodeKey(node);
  return [noKeyBetween(nodes, own), noKeyBetween(`${own}\0`, `${nodes.slice(0, -1)}0`)];
}
