import type { Call } from '../call.js';
import { alarmsOfNode } from '../cluster/answers.js';
import { type Peers, withSilent } from '../cluster/peers.js';
import { type Reach, wordsOf } from '../cluster/reach.js';
import type { Row } from '../json/counters.js';
import { alarmsJson } from '../json/node.js';
import { fieldProtocol } from '../json/protocol.js';
import type { ManagementOptions } from '../options.js';
import { failed, ok, type Reply } from '../reply.js';
import type { Endpoint, Route } from '../route.js';
import { leaderChecks, notCritical } from './quorum-health.js';

/** For probes and scripts. `/health/*` are ours and ask for no password; the others are the field's. */
export function healthRoutes(options: ManagementOptions, peers: Peers, reach: Reach): readonly Route[] {
  const ready = () => readiness(options, reach);
  const fine = (): Reply => ok({ status: 'ok' });
  return [
    {
      path: '/health/live',
      summary: 'The process answers. No password',
      GET: { need: 'nothing', answer: fine },
    },
    {
      path: '/health/ready',
      summary: 'The node serves clients: 200, else 503. No password',
      GET: { need: 'nothing', answer: ready },
    },
    {
      path: '/api/aliveness-test/:vhost',
      summary: 'The virtual host is there and the caller may enter it',
      GET: { need: 'vhost', answer: alive },
    },
    {
      path: '/api/healthchecks/node',
      summary: 'As `/health/ready`',
      GET: { need: 'management', answer: ready },
    },
    {
      path: '/api/healthchecks/node/:node',
      summary: 'As `/health/ready`',
      GET: { need: 'management', answer: ready },
    },
    ...checks(options, peers, reach, fine),
  ];
}

function checks(options: ManagementOptions, peers: Peers, reach: Reach, fine: () => Reply): Route[] {
  const ready = () => readiness(options, reach);
  const check = (name: string, summary: string, answer: Endpoint['answer']): Route => ({
    path: `/api/health/checks/${name}`,
    summary,
    GET: { need: 'management', answer },
  });
  return [
    check('alarms', 'No alarm is on on any node, else 503 with what, why and since when', (call) =>
      noAlarms(call, peers),
    ),
    check('local-alarms', 'The same, of this node', ({ broker }) => noAlarm(alarmsJson(broker))),
    check('virtual-hosts', 'All virtual hosts run', fine),
    check('is-in-service', 'As `/health/ready`', ready),
    check('ready-to-serve-clients', 'As `/health/ready`', ready),
    check('metadata-store/initialized', 'Metadata is read before the API answers', fine),
    check(
      'node-is-quorum-critical',
      'No mirrored queue would have fewer copies in sync than it needs without this node, else 503 with those that would',
      (call) => notCritical(call, peers),
    ),
    ...leaderChecks(peers),
    check(
      'etcd',
      'etcd answers, has no alarm, and this node is registered, else 503; 200 for a node that is alone',
      () => etcd(peers),
    ),
    check('cluster-links', 'This node reaches all that are registered, else 503 with whom it does not', () =>
      links(reach),
    ),
    check('below-node-connection-limit', 'One more connection would be taken, else 503', belowLimit),
    check('port-listener/:port', 'Something listens on the port, else 503', (call) => portListener(options, call)),
    check('protocol-listener/:protocol', 'The protocol is listened for, else 503', (call) =>
      protocolListener(options, call),
    ),
  ];
}

async function noAlarms({ broker }: Call, peers: Peers): Promise<Reply> {
  const { answers, silent } = await peers.askAll(alarmsOfNode, null);
  const alarms = [...alarmsJson(broker), ...[...answers.values()].flatMap((answer) => answer as Row[])];
  return withSilent(noAlarm(alarms), silent);
}

function noAlarm(alarms: readonly Row[]): Reply {
  return alarms.length === 0
    ? ok({ status: 'ok' })
    : failed({ reason: 'resource alarm(s) in effect', alarms: [...alarms] });
}

async function readiness(options: ManagementOptions, reach: Reach): Promise<Reply> {
  if (!options.isReady()) return failed({ reason: 'the node does not serve clients now' });
  const reason = await reach.problem();
  return reason === null ? ok({ status: 'ok' }) : failed({ reason });
}

function etcd({ view }: Peers): Reply {
  if (view === null) return ok({ status: 'ok', reason: 'this node is alone and needs none' });
  const { endpoints, isReachable, trouble, alarms, registration } = view.etcd;
  const isFine = isReachable && trouble === null && alarms.length === 0 && registration === 'held';
  if (isFine) return ok({ status: 'ok' });
  const reason =
    trouble ?? (alarms.length > 0 ? `etcd has raised ${alarms.join(', ')}` : 'this node is not registered');
  return failed({ reason, endpoints: [...endpoints], alarms: [...alarms], registration });
}

function links(reach: Reach): Reply {
  const unreached = reach.unreached();
  if (unreached.length === 0) return ok({ status: 'ok' });
  return failed({ reason: unreached.map(wordsOf).join('; '), unreached: unreached.map(({ name }) => name) });
}

function belowLimit({ broker }: Call): Reply {
  const current = broker.connections.size;
  const limit = broker.limits.node.connectionsMax;
  const shown = { current, limit: Number.isFinite(limit) ? limit : 'infinity' };
  if (current < limit) return ok({ status: 'ok', ...shown });
  return failed({ reason: 'node connection limit is reached', ...shown });
}

async function alive(call: Call): Promise<Reply> {
  await call.actor();
  return ok({ status: 'ok' });
}

function portListener(options: ManagementOptions, call: Call): Reply {
  const port = Number(call.part('port'));
  const ports = options.listeners().map((listener) => listener.port);
  if (ports.includes(port)) return ok({ status: 'ok', port });
  return failed({ reason: 'No active listener', missing: port, ports });
}

function protocolListener(options: ManagementOptions, call: Call): Reply {
  const protocol = call.part('protocol');
  const protocols = options.listeners().map((listener) => fieldProtocol(listener.protocol));
  if (protocols.includes(fieldProtocol(protocol))) return ok({ status: 'ok', protocol });
  return failed({ reason: 'No active listener', missing: protocol, protocols });
}
