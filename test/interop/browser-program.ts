import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Debian's, and what other systems call it. */
export const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const files: { readonly [path: string]: readonly [file: string, type: string] } = {
  '/page.html': [here('browser/page.html'), 'text/html'],
  '/scenario.js': [here('browser/scenario.js'), 'text/javascript'],
  '/mqtt.js': [here('../../node_modules/mqtt/dist/mqtt.min.js'), 'text/javascript'],
};

/** It speaks to this machine only, and keeps nothing. */
const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-extensions',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
const patienceMs = 90_000;

/** An HTTP origin on the loopback with the page of the scenarios, which posts what came of them. */
export class Origin {
  private readonly server: Server;
  private heard: ((outcome: unknown) => void) | null = null;

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  static async open(): Promise<Origin> {
    const origin = new Origin();
    await new Promise<void>((resolve) => origin.server.listen(0, '127.0.0.1', resolve));
    return origin;
  }

  /** As browsers name it. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Opens the page in a browser of its own; resolves with what the page posted. */
  async play(scenario: string, broker: string): Promise<unknown> {
    const profile = mkdtempSync(path.join(tmpdir(), 'chapar-browser-'));
    const outcome = new Promise<unknown>((resolve) => {
      this.heard = resolve;
    });
    const page = `${this.url}/page.html?${new URLSearchParams({ scenario, broker })}`;
    const browser = spawn(chromium!, [...flags, `--user-data-dir=${profile}`, page], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      return await Promise.race([outcome, failureOf(browser)]);
    } finally {
      await ended(browser);
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, this.url);
    const found = files[pathname];
    if (found !== undefined) {
      response.writeHead(200, { 'content-type': found[1] }).end(readFileSync(found[0]));
      return;
    }
    if (pathname !== '/outcome') {
      response.writeHead(404).end();
      return;
    }
    let text = '';
    for await (const part of request) text += part;
    response.writeHead(204).end();
    this.heard?.(JSON.parse(text));
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

/** Rejects when the browser ends, or says nothing for long. */
function failureOf(browser: ChildProcess): Promise<never> {
  let output = '';
  for (const stream of [browser.stdout!, browser.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((_, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the page did not report; the browser said:\n${output}`)),
      patienceMs,
    );
    timer.unref();
    browser.once('error', reject);
    browser.once('close', (code) => {
      clearTimeout(timer);
      reject(new Error(`the browser ended with ${code} before the page reported; it said:\n${output}`));
    });
  });
}

async function ended(browser: ChildProcess): Promise<void> {
  if (browser.exitCode !== null || browser.pid === undefined) return;
  const gone = new Promise<void>((resolve) => browser.once('close', () => resolve()));
  browser.kill('SIGTERM');
  const timer = setTimeout(() => browser.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}
