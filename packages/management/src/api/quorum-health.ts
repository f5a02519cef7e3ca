import { compilePattern } from '@chapar/platform';
import type { Call } from '../call.js';
import type { CopiesView } from '../cluster/mirrored-queues.js';
import type { Peers } from '../cluster/peers.js';
import type { Row } from '../json/counters.js';
import { queueType } from '../json/queue.js';
import { notFound } from '../problem.js';
import { failed, ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import { compareTexts } from '../sorting.js';

/** What the field asks of quorum queues, asked of all that are mirrored. */
export function notCritical(call: Call, { membership, view }: Peers): Reply {
  if (membership === null || view === null || view.members.length < 2) {
    return ok({ status: 'ok', reason: 'single node cluster' });
  }
  const { node } = call.broker.identity;
  const queues = [...membership.mirrored.all()].filter((queue) => needs(queue, node));
  if (queues.length === 0) return ok({ status: 'ok' });
  const reason = 'There are mirrored queues that would have too few copies in sync if this node were stopped';
  return failed({ reason, queues: rowsOf(call, queues) });
}

/** Fewer copies in sync would be there than the queue needs. */
export function needs({ inSync, online, min }: CopiesView, node: string): boolean {
  return inSync.includes(node) && inSync.filter((each) => each !== node && online.includes(each)).length < min;
}

export function leaderChecks(peers: Peers): Route[] {
  const path = '/api/health/checks/quorum-queues-without-elected-leaders';
  const check = (where: string, summary: string): Route => ({
    path: `${path}/${where}`,
    summary,
    GET: { need: where.startsWith('vhost') ? 'vhost' : 'monitoring', answer: (call) => allLed(call, peers) },
  });
  return [
    check('all-vhosts', 'Every mirrored queue has a leader that is there, else 503 with those that have none'),
    check('all-vhosts/pattern/:pattern', 'The same, of queues whose names match'),
    check('vhost/:vhost', 'The same, of a virtual host'),
    check('vhost/:vhost/pattern/:pattern', 'The same, of those of them whose names match'),
  ];
}

function allLed(call: Call, { membership }: Peers): Reply {
  const [vhost, pattern] = [call.part('vhost'), call.part('pattern')];
  if (vhost !== '' && !call.broker.topology.vhosts.has(vhost)) throw notFound();
  const names = compilePattern(pattern === '' ? '.*' : pattern);
  const queues = [...(membership?.mirrored.all() ?? [])].filter(
    (queue) => (vhost === '' || queue.vhost === vhost) && names.test(queue.name) && isLeaderless(queue),
  );
  if (queues.length === 0) return ok({ status: 'ok' });
  return failed({ reason: 'Detected mirrored queues without an elected leader', queues: rowsOf(call, queues) });
}

const isLeaderless = ({ leader, online }: CopiesView): boolean => leader === null || !online.includes(leader);

/** As the field names queues in these answers. */
function rowsOf(call: Call, queues: readonly CopiesView[]): Row[] {
  const { vhosts } = call.broker.topology;
  return [...queues]
    .sort((a, b) => compareTexts(a.vhost, b.vhost) || compareTexts(a.name, b.name))
    .map(({ vhost, name }) => {
      const queue = vhosts.get(vhost)?.queues.get(name);
      return {
        readable_name: vhost === '' ? `shard '${name}'` : `queue '${name}' in vhost '${vhost}'`,
        name,
        virtual_host: vhost,
        type: queue === undefined ? 'quorum' : queueType(queue),
      };
    });
}
