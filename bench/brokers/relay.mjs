// The generator's own sink in relay mode: passes publishes on and does nothing else, so what it reaches is the
// ceiling of the generator and of the kernel's loopback together.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GENERATOR } from '../generator.mjs';
import { freePorts, start, stop, untilListening } from './child.mjs';

export class Relay {
  name = 'relay';

  describe() {
    return 'the load generator as a relay without a broker in it (confirms before it has done anything)';
  }

  async start() {
    this.directory = mkdtempSync(join(tmpdir(), 'relay-bench-'));
    [this.port] = await freePorts(1);
    const args = ['--sink', String(this.port), '--sink-relay', '--seconds', '3600'];
    this.running = start(GENERATOR, args, { env: process.env, logFile: join(this.directory, 'log') });
    await untilListening(this.running, this.port, 10);
    this.pid = this.running.child.pid;
  }

  async stop() {
    if (this.running) await stop(this.running, 5);
    if (this.directory) rmSync(this.directory, { recursive: true, force: true });
    this.running = this.directory = undefined;
  }

  dispose() {}
}
