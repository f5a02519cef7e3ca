import { createServer, type RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import type { Broker } from '@chapar/core';
import type { Log } from '@chapar/platform';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { assertNeed } from './access.js';
import { Call } from './call.js';
import { Caller } from './caller.js';
import { pick, readColumns } from './columns.js';
import type { Credentials } from './credentials.js';
import { notFound, Problem, problemOf } from './problem.js';
import type { Reply } from './reply.js';
import { type Endpoint, type Method, methods, type Route } from './route.js';

/** Bodies of requests that do not say otherwise, bytes. */
const bodyBytesMax = 1024 * 1024;

/** Names have up to 255 bytes, a binding's name several of them, each byte encoded as up to nine characters. */
const pathPartLengthMax = 8192;

export interface HttpParts {
  readonly broker: Broker;
  readonly credentials: Credentials;
  readonly log: Log;
  readonly routes: readonly Route[];
}

/** Requests in, answers out: everything that knows the HTTP library. */
export interface HttpFace {
  readonly app: FastifyInstance;
  /** Answers a request of whatever server hands it over. */
  readonly handle: RequestListener;
}

export async function createHttpFace(parts: HttpParts): Promise<HttpFace> {
  let handle: RequestListener | null = null;
  const app = fastify({
    bodyLimit: bodyBytesMax,
    // Servers are made per listener; this one never listens.
    serverFactory: (handler) => {
      handle = handler as RequestListener;
      return createServer(handler as RequestListener);
    },
    routerOptions: {
      maxParamLength: pathPartLengthMax,
      ignoreTrailingSlash: true,
      querystringParser: (text) => Object.fromEntries(new URLSearchParams(text)),
    },
    frameworkErrors: (error, _request, reply) => {
      sendProblem(parts.log, error, reply);
    },
  });
  // Clients rarely say what they send, or say that it is a form: a body is JSON whatever its type.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, _request, reply) => sendProblem(parts.log, error, reply));
  app.setNotFoundHandler((_request, reply) => sendProblem(parts.log, notFound(), reply));
  for (const route of parts.routes) addRoute(app, parts, route);
  await app.ready();
  return { app, handle: handle! };
}

function addRoute(app: FastifyInstance, parts: HttpParts, route: Route): void {
  const there = methods.filter((method) => route[method] !== undefined);
  const allow = [...there, ...(there.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  for (const method of there) addEndpoint(app, parts, route.path, method, route[method]!);
  const others = methods.filter((method) => !there.includes(method));
  app.route({
    method: [...others, ...(there.includes('GET') ? [] : (['HEAD'] as const)), 'PATCH'],
    url: route.path,
    onRequest: async () => {
      throw new Problem(405, 'method_not_allowed', `this path takes ${allow}`, { allow });
    },
    handler: () => undefined,
  });
  app.route({ method: 'OPTIONS', url: route.path, handler: (_request, reply) => reply.header('allow', allow).send() });
}

function addEndpoint(app: FastifyInstance, parts: HttpParts, url: string, method: Method, endpoint: Endpoint): void {
  const callers = new WeakMap<FastifyRequest, Caller>();
  app.route({
    method,
    url,
    bodyLimit: endpoint.bodyBytesMax ?? bodyBytesMax,
    // Before the body is read: nobody unknown sends us megabytes.
    onRequest: async (request) => {
      if (method !== 'GET') assertNotFromElsewhere(request);
      if (endpoint.need === 'nothing') return;
      const caller = await callerOf(parts, request);
      await assertNeed(callOf(parts, request, caller), endpoint.need);
      callers.set(request, caller);
    },
    handler: async (request, reply) => {
      const caller = callers.get(request) ?? nobody(parts.broker);
      const call = callOf(parts, request, caller);
      return send(reply, call, await endpoint.answer(call), parts.log);
    },
  });
}

/** A browser that knows a password sends it along with what any page makes it send; no other page may change anything here. */
function assertNotFromElsewhere({ headers }: FastifyRequest): void {
  if (headers['sec-fetch-site'] !== 'cross-site') return;
  throw new Problem(403, 'forbidden', 'requests that change something must not come from another site');
}

function callerOf({ credentials }: HttpParts, { headers, socket, ip }: FastifyRequest): Promise<Caller> {
  return credentials.check(headers.authorization, ip, socket.remotePort ?? 0);
}

function nobody(broker: Broker): Caller {
  return new Caller(broker, { user: '', tags: [], backend: '' }, false);
}

function callOf({ broker }: HttpParts, request: FastifyRequest, caller: Caller): Call {
  return new Call({
    broker,
    caller,
    method: request.method,
    parameters: request.params as Record<string, string>,
    query: new Map(Object.entries(request.query as Record<string, string>)),
    headers: request.headers,
    bytes: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
  });
}

function send(reply: FastifyReply, call: Call, answer: Reply, log: Log): FastifyReply {
  reply.status(answer.status).headers({
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    vary: 'accept, accept-encoding, origin',
    ...answer.headers,
  });
  if (answer.pieces !== undefined) {
    const stream = Readable.from(answer.pieces, { objectMode: true });
    stream.on('error', (error) => log.error({ error }, 'an answer broke off'));
    return reply.type('application/json').send(stream);
  }
  const text = answer.json === undefined ? answer.text : JSON.stringify(pick(answer.json, readColumns(call.query)));
  return text === undefined ? reply.send() : reply.type('application/json').send(text);
}

function sendProblem(log: Log, error: unknown, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error);
  if (problem === null) {
    log.error({ error }, 'a request failed by a fault of ours');
    return reply.status(500).send({ error: 'internal_server_error', reason: 'see the log of the broker' });
  }
  const { status, headers, message } = problem;
  return reply.status(status).headers(headers).send({ error: problem.error, reason: message });
}
