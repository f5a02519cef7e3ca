import { CommandError } from './command-error.js';
import type { Endpoint } from './endpoint.js';

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

const answerMsMax = 30_000;

/** The RabbitMQ-shaped HTTP API, as the verbs use it. All failures are CommandErrors. */
export class ApiClient {
  private readonly endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  /** Parts are percent-encoded: `get('queues', '/', 'a b')` reads /api/queues/%2F/a%20b. */
  get(...parts: readonly string[]): Promise<unknown> {
    return this.request('GET', parts);
  }

  put(parts: readonly string[], body: unknown = {}): Promise<unknown> {
    return this.request('PUT', parts, body);
  }

  /** `query` such as `dry-run=true`. */
  post(parts: readonly string[], body: unknown, query = ''): Promise<unknown> {
    return this.request('POST', parts, body, query);
  }

  /** `query` such as `if-empty=true`. */
  delete(parts: readonly string[], query = '', body?: unknown): Promise<unknown> {
    return this.request('DELETE', parts, body, query);
  }

  /** A health check: null when it passes, else what it says. */
  async check(...parts: readonly string[]): Promise<Readonly<Record<string, unknown>> | null> {
    const path = `/api/${parts.map(encodeURIComponent).join('/')}`;
    const response = await this.send('GET', path, undefined);
    const text = await response.text();
    if (response.status === 503) return parseBody(text) as Readonly<Record<string, unknown>>;
    if (!response.ok) throw this.refusal(response.status, text, 'GET', path);
    return null;
  }

  private async request(method: Method, parts: readonly string[], body?: unknown, query = ''): Promise<unknown> {
    const path = `/api/${parts.map(encodeURIComponent).join('/')}${query === '' ? '' : `?${query}`}`;
    const response = await this.send(method, path, body);
    const text = await response.text();
    if (!response.ok) throw this.refusal(response.status, text, method, path);
    return text === '' ? null : parseBody(text);
  }

  private async send(method: Method, path: string, body: unknown): Promise<Response> {
    try {
      return await fetch(this.endpoint.url + path, {
        method,
        headers: {
          authorization: this.endpoint.authorization,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(answerMsMax),
      });
    } catch (cause) {
      throw unreachable(this.endpoint.url, cause);
    }
  }

  private refusal(status: number, text: string, method: Method, path: string): CommandError {
    const reason = reasonIn(text);
    switch (status) {
      case 401:
        return new CommandError(
          reason === 'not_authorised' || reason === ''
            ? 'the broker refused the login.'
            : `the broker refused the login: ${reason}`,
          'Check user and password (--user NAME). guest may log in from the machine of the broker only.',
        );
      case 403:
        return new CommandError(
          `this user may not do that: ${reason}`,
          'It needs another tag (management, policymaker, monitoring, administrator): chapar user tags NAME TAG...',
        );
      case 404:
        return new CommandError(
          reason === '' || /^not.?found$/i.test(reason) ? `there is no ${pathInWords(path)}.` : reason,
          'Check the name and --vhost; `chapar list` shows what there is.',
        );
      default:
        return new CommandError(reason === '' ? `the broker answered ${status} to ${method} ${path}` : reason, '');
    }
  }
}

function unreachable(url: string, cause: unknown): CommandError {
  if ((cause as Error).name === 'TimeoutError') {
    return new CommandError(
      `${url} did not answer within ${answerMsMax / 1000} s.`,
      'Is that the management listener of a broker?',
    );
  }
  const inner = (cause as { cause?: NodeJS.ErrnoException }).cause;
  const why = inner?.code === 'ECONNREFUSED' ? 'nobody listens there' : (inner?.message ?? (cause as Error).message);
  return new CommandError(
    `no broker answers at ${url}: ${why}.`,
    'Start one with `npm start` (chapar start), or name another: --data-dir DIR, or --url URL --user NAME.',
  );
}

/** RabbitMQ answers {"error": KIND, "reason": TEXT}; the text is what helps. */
function reasonIn(text: string): string {
  try {
    const { error, reason } = JSON.parse(text) as { error?: unknown; reason?: unknown };
    return typeof reason === 'string' ? reason : typeof error === 'string' ? error : '';
  } catch {
    return text.trim().slice(0, 200);
  }
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError('the answer is not JSON.', 'Is that the management listener of a broker?');
  }
}

/** `/api/queues/%2F/a` -> `queue 'a' in virtual host '/'`. */
function pathInWords(path: string): string {
  const [kind = '', first, second] = path
    .replace(/^\/api\/(?:mqtt\/)?/, '')
    .replace(/\?.*$/, '')
    .split('/')
    .map(decodeURIComponent);
  const what = kind.replace(/s$/, '');
  if (second !== undefined) return `${what} '${second}' in virtual host '${first}'`;
  return first === undefined ? kind : `${what} '${first}'`;
}
