import type { Call } from '../call.js';
import { nodeJson } from '../json/node.js';
import { list } from '../listing.js';
import type { ManagementOptions } from '../options.js';
import { notFound } from '../problem.js';
import { ok, type Reply } from '../reply.js';
import type { Route } from '../route.js';

export function nodeRoutes(options: ManagementOptions): readonly Route[] {
  return [
    {
      path: '/api/nodes',
      summary: 'The nodes: this one',
      GET: { need: 'monitoring', answer: (call) => getAll(call, options) },
    },
    {
      path: '/api/nodes/:node',
      summary: 'A node; `?memory=true` adds where its memory is',
      GET: { need: 'monitoring', answer: (call) => get(call, options) },
    },
    {
      path: '/api/nodes/:node/memory',
      summary: 'Where the memory of a node is',
      GET: { need: 'monitoring', answer: getMemory },
    },
  ];
}

function getAll(call: Call, options: ManagementOptions): Promise<Reply> {
  return list(call.query, call.broker.platform.clock, {
    items: [call.broker],
    name: ({ identity }) => identity.node,
    order: null,
    json: (broker) => nodeJson(broker, options),
  });
}

function assertNode(call: Call): void {
  if (call.part('node') !== call.broker.identity.node) throw notFound();
}

function get(call: Call, options: ManagementOptions): Reply {
  assertNode(call);
  return ok({ ...nodeJson(call.broker, options), ...(call.asks('memory') ? { memory: memory() } : {}) });
}

function getMemory(call: Call): Reply {
  assertNode(call);
  return ok({ memory: memory() });
}

/** Bytes. What V8 and the operating system count; the field's parts are those of an Erlang machine. */
function memory() {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return {
    array_buffers: arrayBuffers,
    external,
    heap_total: heapTotal,
    heap_used: heapUsed,
    strategy: 'rss',
    total: { rss },
  };
}
