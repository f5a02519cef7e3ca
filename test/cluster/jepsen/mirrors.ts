import type { EtcdNode } from '../real-cluster.js';

/** Who has copies of a mirrored queue, by names of nodes; a data id where no member has it. */
export interface Mirror {
  readonly queue: string;
  readonly leader: string;
  readonly epoch: number;
  readonly inSync: readonly string[];
  readonly replicas: readonly string[];
}

interface Room {
  readonly kvs?: readonly { readonly key: string; readonly value: string }[];
}

const prefix = '/chapar/';
const roomOf = { queues: `${prefix}meta/queues/`, mirrors: `${prefix}meta/mirrors/`, members: `${prefix}members/` };

/**
 * What etcd has about mirrored queues, as its first member that answers knows it, which may be a little old; empty while there are none.
 * Null: none answers.
 */
export async function readMirrors(members: readonly EtcdNode[]): Promise<Mirror[] | null> {
  for (const { etcd } of members) {
    try {
      const [queues, mirrors, nodes] = await Promise.all([
        read<{ incarnation: string; mirrored?: boolean }>(etcd.endpoint, roomOf.queues),
        read<MirrorRecord>(etcd.endpoint, roomOf.mirrors),
        read<Member>(etcd.endpoint, roomOf.members),
      ]);
      return mirrorsOf(queues, mirrors, nodes);
    } catch {
      // It is away.
    }
  }
  return null;
}

/** As brokers write it, as far as it is read here. */
interface MirrorRecord {
  readonly incarnation: string;
  readonly leader: string | null;
  readonly epoch: number;
  readonly inSync: readonly string[];
  readonly replicas: readonly string[];
}

interface Member {
  readonly node: string;
  /** ISO 8601. */
  readonly joined: string;
}

/** From what stands in etcd, keys without their prefixes. */
export function mirrorsOf(
  queues: ReadonlyMap<string, { incarnation: string; mirrored?: boolean }>,
  mirrors: ReadonlyMap<string, MirrorRecord>,
  members: ReadonlyMap<string, Member>,
): Mirror[] {
  const nameOf = (id: string) => {
    const member = members.get(encodeURIComponent(id));
    if (member === undefined) return id;
    // A node that lost its disk is another member by the same name.
    const isOld = [...members.values()].some(({ node, joined }) => node === member.node && joined > member.joined);
    return isOld ? id : member.node;
  };
  const found: Mirror[] = [];
  for (const [key, { incarnation }] of queues) {
    const record = [...mirrors.values()].find((each) => each.incarnation === incarnation);
    if (record === undefined) continue;
    const { leader, epoch, inSync, replicas } = record;
    found.push({
      queue: decodeURIComponent(key.split('/').at(-1)!),
      leader: leader === null ? 'nobody' : nameOf(leader),
      epoch,
      inSync: inSync.map(nameOf),
      replicas: replicas.map(nameOf),
    });
  }
  return found;
}

/** From this member alone, by HTTP; keys come without the prefix. */
async function read<T>(endpoint: string, room: string): Promise<Map<string, T>> {
  const end = room.slice(0, -1) + String.fromCharCode(room.charCodeAt(room.length - 1) + 1);
  const response = await fetch(`${endpoint}/v3/kv/range`, {
    method: 'POST',
    signal: AbortSignal.timeout(1000),
    body: JSON.stringify({
      key: Buffer.from(room).toString('base64'),
      range_end: Buffer.from(end).toString('base64'),
      serializable: true,
    }),
  });
  if (!response.ok) throw new Error(`etcd answers ${response.status}`);
  const { kvs = [] } = (await response.json()) as Room;
  const text = (base64: string) => Buffer.from(base64, 'base64').toString();
  return new Map(kvs.map(({ key, value }) => [text(key).slice(room.length), JSON.parse(text(value)) as T]));
}
