import type { CopiesStatus, CopiesView, Prospects } from '../cluster/mirrored-queues.js';
import type { Row } from './counters.js';

/** What the field shows of a queue with copies, by its type, and ours beside it. */
export function copiesFields({ leader, members, online, inSync, epoch, min, wanted }: CopiesView, type: string): Row {
  const others = (nodes: readonly string[]): string[] => nodes.filter((node) => node !== leader);
  const ofClassic = { slave_nodes: others(members), synchronised_slave_nodes: others(inSync) };
  return {
    leader,
    members: [...members],
    online: [...online],
    ...(type === 'classic' ? ofClassic : {}),
    in_sync: [...inSync],
    epoch,
    min_in_sync: min,
    wanted_members: wanted ?? 'all',
    mirroring: members.length === inSync.length && members.length === (wanted ?? members.length) ? 'done' : 'under way',
    state: stateOf({ leader, online, inSync, min }),
  };
}

/** `minority`: what is published is refused, for fewer copies than there have to be answer. */
function stateOf({ leader, online, inSync, min }: Pick<CopiesView, 'leader' | 'online' | 'inSync' | 'min'>): string {
  if (leader === null || !online.includes(leader)) return 'down';
  return inSync.filter((node) => online.includes(node)).length < min ? 'minority' : 'running';
}

/** Ours, of one queue. */
export function copiesStatusJson(status: CopiesStatus): Row {
  const { leader, epoch, end, committed, isShort, members } = status;
  return {
    leader,
    epoch,
    end,
    committed,
    short: isShort,
    members: members.map(({ node, isInSync, synced, lag, lagMs, silentMs }) => ({
      node,
      in_sync: isInSync,
      synced,
      lag,
      lag_ms: Math.round(lagMs),
      silent_ms: silentMs === null ? null : Math.round(silentMs),
    })),
  };
}

/** What may be lost when the copy of `node` leads. */
export function prospectsJson({ view, present, copies }: Prospects, node: string): Row {
  const { vhost, name, leader, epoch, inSync, members } = view;
  return {
    vhost,
    name,
    node,
    leader,
    epoch,
    in_sync: [...inSync],
    members: [...members],
    in_sync_and_running: [...present],
    copies: copies.map(({ silentMs, ...copy }) => ({
      ...copy,
      silent_ms: silentMs === null ? null : Math.round(silentMs),
    })),
  };
}

/** The rows of `rabbitmq-queues quorum_status`: a member each. */
export function quorumStatusRows(view: CopiesView, status: CopiesStatus | null): Row[] {
  const { members, leader, epoch, online, inSync } = view;
  return members.map((node) => {
    const member = status?.members.find((each) => each.node === node);
    const isThere = online.includes(node);
    return {
      'Node Name': node,
      'Raft State': !isThere ? 'noproc' : node === leader ? 'leader' : 'follower',
      Membership: inSync.includes(node) ? 'voter' : 'promotable',
      'Last Log Index': member?.synced ?? '',
      'Last Written': member?.synced ?? '',
      'Last Applied': member === undefined ? '' : Math.min(member.synced, status!.committed),
      'Commit Index': status?.committed ?? '',
      'Snapshot Index': '',
      Term: status?.epoch ?? epoch,
      'Machine Version': '',
    };
  });
}
