import type { JsonValue } from '@chapar/core';
import type { Call } from '../call.js';
import { alarmsJson } from '../json/node.js';
import { fieldProtocol } from '../json/protocol.js';
import type { ManagementOptions } from '../options.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';

/** For probes and scripts. `/health/*` are ours and ask for no password; the others are the field's. */
export function healthRoutes(options: ManagementOptions): readonly Route[] {
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
      GET: { need: 'nothing', answer: () => ready(options) },
    },
    {
      path: '/api/aliveness-test/:vhost',
      summary: 'The virtual host is there and the caller may enter it',
      GET: { need: 'vhost', answer: alive },
    },
    {
      path: '/api/healthchecks/node',
      summary: 'As `/health/ready`',
      GET: { need: 'management', answer: () => ready(options) },
    },
    {
      path: '/api/healthchecks/node/:node',
      summary: 'As `/health/ready`',
      GET: { need: 'management', answer: () => ready(options) },
    },
    ...checks(options, fine),
  ];
}

function checks(options: ManagementOptions, fine: () => Reply): Route[] {
  const check = (name: string, summary: string, answer: (call: Call) => Reply): Route => ({
    path: `/api/health/checks/${name}`,
    summary,
    GET: { need: 'management', answer },
  });
  return [
    check('alarms', 'No alarm is on, else 503 with what, why and since when', noAlarm),
    check('local-alarms', 'The same, of this node', noAlarm),
    check('virtual-hosts', 'All virtual hosts run', fine),
    check('is-in-service', 'As `/health/ready`', () => ready(options)),
    check('ready-to-serve-clients', 'As `/health/ready`', () => ready(options)),
    check('metadata-store/initialized', 'Metadata is read before the API answers', fine),
    check('node-is-quorum-critical', 'One node alone', () => ok({ status: 'ok', reason: 'single node cluster' })),
    check('port-listener/:port', 'Something listens on the port, else 503', (call) => portListener(options, call)),
    check('protocol-listener/:protocol', 'The protocol is listened for, else 503', (call) =>
      protocolListener(options, call),
    ),
  ];
}

function noAlarm({ broker }: Call): Reply {
  const alarms = alarmsJson(broker);
  return alarms.length === 0 ? ok({ status: 'ok' }) : failed({ reason: 'resource alarm(s) in effect', alarms });
}

function ready(options: ManagementOptions): Reply {
  return options.isReady() ? ok({ status: 'ok' }) : failed({ reason: 'the node does not serve clients now' });
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

function failed(why: { readonly [name: string]: JsonValue }): Reply {
  return { status: 503, json: { status: 'failed', ...why } };
}
