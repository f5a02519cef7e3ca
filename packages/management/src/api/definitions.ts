import type { Call } from '../call.js';
import { exportAll, exportVirtualHost } from '../definitions/export.js';
import { importDefinitions } from '../definitions/import.js';
import { readFields } from '../fields.js';
import { formPart } from '../multipart.js';
import { badRequest } from '../problem.js';
import { noContent, type Reply } from '../reply.js';
import type { Route } from '../route.js';
import type { Said } from '../said.js';

/** Files of definitions may be large, and come from administrators only. */
const bodyBytesMax = 20 * 1024 * 1024;

export function definitionRoutes(said: Said): readonly Route[] {
  return [
    {
      path: '/api/definitions',
      summary:
        'Everything but messages, as a file. POST merges one (also as the part `file` of a form): 204, or 400 with `refused` and the rest taken; `?report=true` answers 200 with what was taken, kept and refused',
      GET: { need: 'administrator', answer: (call) => file(call, exportAll(call.broker)) },
      POST: { need: 'administrator', bodyBytesMax, answer: (call) => post(call, said) },
    },
    {
      path: '/api/definitions/:vhost',
      summary: 'The same for what is in one virtual host: exchanges, queues, bindings, policies, parameters',
      GET: { need: 'administrator', answer: (call) => file(call, exportVirtualHost(call.broker, call.vhost)) },
      POST: { need: 'administrator', bodyBytesMax, answer: (call) => post(call, said) },
    },
  ];
}

function file(call: Call, pieces: AsyncIterable<string>): Reply {
  const name = call.query.get('download') ?? '';
  // Only what needs no quoting in a header.
  const headers = /^[\w.@-]+$/.test(name) ? { 'content-disposition': `attachment; filename=${name}` } : {};
  return { status: 200, pieces, headers };
}

async function post(call: Call, said: Said): Promise<Reply> {
  const vhost = call.part('vhost') === '' ? null : vhostOrRefuse(call);
  const uploaded = formPart(call.headers['content-type'], call.bytes, 'file');
  const report = await importDefinitions({ broker: call.broker, said, vhost }, readFields(uploaded ?? call.bytes));
  if (call.asks('report')) return { status: 200, json: report.json() };
  if (report.refused.length === 0) return noContent;
  return { status: 400, json: { error: 'bad_request', reason: report.summary, ...report.json() } };
}

function vhostOrRefuse(call: Call) {
  const vhost = call.broker.topology.vhosts.get(call.part('vhost'));
  if (vhost === undefined) throw badRequest('vhost_not_found');
  return vhost;
}
