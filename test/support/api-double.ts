import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';
import { main } from '../../packages/server/src/main.js';

type Answer = { readonly status?: number; readonly body?: unknown };

/** An HTTP API that answers what a test says, and the command line in this process that talks to it. */
export class ApiDouble {
  /** `DELETE /api/nodes/a`, in the order in which they came. */
  readonly asked: string[] = [];
  /** What came with each. */
  readonly bodies: unknown[] = [];
  /** By what is asked, of several one after the other, the last for good; 204 for all else. */
  readonly answers: Record<string, Answer | Answer[]> = {};
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => {
        text += chunk;
      });
      request.on('end', () => {
        const what = `${request.method} ${request.url}`;
        this.asked.push(what);
        this.bodies.push(text === '' ? undefined : JSON.parse(text));
        const { status = 200, body } = this.answerTo(what);
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === undefined ? '' : JSON.stringify(body));
      });
    });
  }

  private answerTo(what: string): Answer {
    const answer = this.answers[what] ?? { status: 204 };
    if (!Array.isArray(answer)) return answer;
    return answer.length > 1 ? answer.shift()! : answer[0]!;
  }

  static async start(): Promise<ApiDouble> {
    const api = new ApiDouble();
    await new Promise<void>((resolve) => api.server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  /** Runs `chapar` as guest of this API. */
  async chapar(...args: string[]): Promise<{ out: string; err: string; code: number }> {
    const { port } = this.server.address() as AddressInfo;
    const written = { stdout: '', stderr: '' };
    const spies = (['stdout', 'stderr'] as const).map((name) =>
      vi.spyOn(process[name], 'write').mockImplementation((text) => {
        written[name] += String(text);
        return true;
      }),
    );
    const before = process.exitCode;
    process.exitCode = 0;
    try {
      await main([...args, '--url', `http://127.0.0.1:${port}`, '--user', 'guest:guest']);
      return { out: written.stdout, err: written.stderr, code: Number(process.exitCode ?? 0) };
    } finally {
      for (const spy of spies) spy.mockRestore();
      process.exitCode = before;
    }
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
