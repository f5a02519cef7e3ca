// One program of `npm run cluster`, in a process group of its own: Ctrl-C reaches the terminal's whole group, and would end etcd under
// brokers that still need it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Program {
  /** `said(line)` gets every line; `ended(code)` its end, once. */
  constructor(name, command, { environment = {}, said, ended }) {
    this.name = name;
    this.hasEnded = false;
    const [program, ...args] = command;
    this.child = spawn(program, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.child.stdout, this.child.stderr]) createInterface({ input: stream }).on('line', said);
    this.over = new Promise((resolve) => {
      const end = (code) => {
        if (this.hasEnded) return;
        this.hasEnded = true;
        ended(code);
        resolve(code);
      };
      this.child.once('error', (error) => {
        said(error.message);
        end(127);
      });
      // Its last lines are there by then.
      this.child.once('close', (code, signal) => end(code ?? signal));
    });
  }

  get pid() {
    return this.child.pid;
  }

  kill(signal) {
    if (!this.hasEnded) this.child.kill(signal);
  }

  /** Asks it to stop, and after `patienceMs` makes it. Resolves with how it ended. */
  async stop(patienceMs) {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), patienceMs);
    const code = await this.over;
    clearTimeout(timer);
    return code;
  }
}
