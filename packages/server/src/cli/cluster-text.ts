import { counted } from './counted.js';
import { formatRows, type Row } from './table.js';

/** The answer of /api/cluster, as far as it is shown. */
export interface ClusterAnswer {
  readonly name: string;
  readonly id?: string;
  readonly prefix?: string;
  readonly node: string;
  /** How many mirrored queues there are, and what is wrong with how many of them. */
  readonly mirrored?: {
    readonly queues: number;
    readonly without_leader: number;
    readonly below_min: number;
    readonly fewer_copies: number;
  };
  readonly nodes: readonly NodeAnswer[];
}

interface NodeAnswer {
  readonly name: string;
  readonly data_id?: string;
  readonly running: boolean;
  readonly here?: boolean;
  /** Milliseconds since 1970; null: not known. */
  readonly since?: number | null;
  readonly address?: string;
  readonly version?: string;
  readonly maintenance?: boolean;
  readonly queues: number;
  /** Of mirrored queues. */
  readonly copies?: number;
  /** Whether it was asked and said the following; absent for a node alone. */
  readonly answered?: boolean;
  readonly ready?: boolean;
  readonly revision?: number;
  readonly alarms?: readonly Row[];
  readonly links?: readonly LinkAnswer[];
  readonly etcd?: EtcdAnswer;
}

interface LinkAnswer {
  readonly to: string;
  readonly up: boolean;
  readonly since: number;
  readonly reason?: string;
}

interface EtcdAnswer {
  readonly endpoints: readonly string[];
  readonly reachable: boolean;
  /** Since when it is reached or not, milliseconds since 1970. */
  readonly since: number;
  /** Why it cannot be used. */
  readonly trouble: string | null;
  readonly alarms: readonly string[];
  readonly registration: string;
}

const columns = [
  'node',
  'state',
  'since',
  'queues',
  'copies',
  'revision',
  'links',
  'etcd',
  'alarms',
  'version',
  'address',
];

/** A node a line, then what is wrong, in words. Ends with a newline. */
export function clusterText(cluster: ClusterAnswer, nowMs: number): string {
  const where = cluster.id === undefined ? '' : `, id ${cluster.id}, under ${cluster.prefix} in etcd`;
  const table = formatRows(
    cluster.nodes.map((node) => row(node, nowMs)),
    columns,
    'table',
  );
  const wrong = [...wrongWithQueues(cluster), ...cluster.nodes.flatMap((node) => wrongWith(node, nowMs))];
  const said = wrong.length === 0 ? '' : `\n${wrong.map((line) => `! ${line}`).join('\n')}\n`;
  return `cluster ${cluster.name}${where}, as ${cluster.node} sees it\n\n${table}${said}`;
}

function row(node: NodeAnswer, nowMs: number): Row {
  const { links, etcd, alarms } = node;
  return {
    node: node.name,
    state: stateOf(node),
    since: node.since == null ? '' : age(nowMs - node.since),
    queues: node.queues,
    copies: node.copies,
    revision: node.revision,
    links: links === undefined ? '' : `${links.filter(({ up }) => up).length}/${links.length}`,
    etcd: etcd === undefined ? '' : etcdState(etcd),
    alarms: alarms?.map(({ resource }) => resource).join(',') ?? '',
    version: node.version,
    address: node.address,
  };
}

function stateOf({ running, answered, ready, maintenance }: NodeAnswer): string {
  if (!running) return 'gone';
  if (answered === false) return 'silent';
  if (maintenance === true) return 'maintenance';
  return ready === false ? 'not ready' : 'running';
}

function wrongWithQueues({ mirrored }: ClusterAnswer): string[] {
  if (mirrored === undefined) return [];
  const { without_leader: leaderless, below_min: short, fewer_copies: fewer } = mirrored;
  const wrong: string[] = [];
  const have = (count: number, one: string, many = one) =>
    `${counted(count, 'mirrored queue')} ${count === 1 ? `has ${one}` : `have ${many}`}`;
  const refused = (to: string) => `too few copies: publishes to ${to} are refused`;
  if (leaderless > 0) wrong.push(have(leaderless, 'no leader'));
  if (short > 0) wrong.push(have(short, refused('it'), refused('them')));
  if (fewer > 0) {
    const copies = 'fewer copies in sync than';
    wrong.push(have(fewer, `${copies} it shall have`, `${copies} they shall have`));
  }
  return wrong;
}

function wrongWith(node: NodeAnswer, nowMs: number): string[] {
  const { name, running, answered, queues, data_id: dataId, links, etcd, alarms } = node;
  const wrong: string[] = [];
  if (!running) {
    const come = queues === 1 ? 'comes' : 'come';
    const left = queues === 0 ? 'no queue lives there' : `${counted(queues, 'queue')} ${come} back with it`;
    wrong.push(`${name} is gone (data id ${dataId}): ${left}; if it never returns: chapar forget ${dataId}`);
  } else if (answered === false) {
    wrong.push(`${name} is registered in etcd but does not answer the node that was asked`);
  }
  for (const link of links ?? []) {
    if (!link.up) wrong.push(`${name} has not reached ${link.to} for ${age(nowMs - link.since)}: ${link.reason ?? ''}`);
  }
  if (etcd !== undefined) wrong.push(...wrongWithEtcd(name, etcd, nowMs));
  for (const alarm of alarms ?? []) wrong.push(`${name}: ${alarmText(alarm)}`);
  return wrong;
}

function etcdState({ reachable, trouble, registration }: EtcdAnswer): string {
  if (!reachable) return 'away';
  return trouble === null ? registration : 'refused';
}

function wrongWithEtcd(name: string, { reachable, since, trouble, endpoints, alarms }: EtcdAnswer, nowMs: number) {
  const wrong: string[] = [];
  if (!reachable) {
    wrong.push(`${name} has not reached etcd for ${age(nowMs - since)} (${endpoints.join(', ')}): ${trouble ?? ''}`);
  } else if (trouble !== null) {
    wrong.push(`${name} does not obey what answers at ${endpoints.join(', ')}: ${trouble}`);
  }
  if (alarms.length > 0) wrong.push(`${name}: etcd has raised ${alarms.join(', ')}`);
  return wrong;
}

/** `memory for 12 s: memory is short: ...`. */
export function alarmText({ resource, reason, age: seconds }: Row): string {
  return `${resource} for ${age(Number(seconds) * 1000)}: ${reason}; publishers wait`;
}

/** `12 s`, `3 min`, `5 h`, `2 days`: as exact as is of use. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
