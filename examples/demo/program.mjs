// Runs one example as a process of its own, and lets a story wait for what it prints, type to it, and kill it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export class Program {
  #child;
  #ended = null;
  #watchers = new Set();
  /** Everything that it printed so far, errors too. */
  output = '';

  /** `onLine(line)` is called for every line that it prints. */
  constructor(title, command, { cwd, environment = {}, onLine } = {}) {
    this.title = title;
    const [executable, ...args] = command;
    this.#child = spawn(executable, args, { cwd, env: { ...process.env, ...environment }, stdio: 'pipe' });
    // Typing to a program that has just ended is not our mistake; how it ended is told by ended().
    this.#child.stdin.on('error', () => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) this.#read(stream, onLine);
    this.#child.once('error', (error) => this.#end({ code: null, signal: null, error }));
    this.#child.once('close', (code, signal) => this.#end({ code, signal, error: null }));
  }

  #read(stream, onLine) {
    let line = '';
    stream.setEncoding('utf8').on('data', (text) => {
      this.output += text;
      const lines = (line + text).split('\n');
      line = lines.pop();
      if (onLine) lines.forEach(onLine);
      this.#changed();
    });
  }

  #end(how) {
    this.#ended ??= how;
    this.#changed();
  }

  #changed() {
    for (const look of this.#watchers) look();
  }

  /** Waits until it has printed `text`, at most `times` times over; throws when it ends before, or takes too long. */
  saw(text, { times = 1, seconds = 20 } = {}) {
    const happened = () => this.output.split(text).length > times;
    return this.#until(() => happened() || this.#ended !== null, seconds, `print "${text}"`).then(() => {
      if (!happened()) throw this.#wrong(`ended without printing "${text}"`);
    });
  }

  /** Waits for its end; throws when it does not exit with 0, or takes too long. */
  async finished({ seconds = 40 } = {}) {
    await this.#until(() => this.#ended !== null, seconds, 'end');
    if (this.#ended.code !== 0)
      throw this.#wrong(`ended with ${this.#ended.error ?? this.#ended.code ?? this.#ended.signal}`);
    return this;
  }

  type(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Kills it (SIGKILL) if it still runs, and waits until it is gone. */
  async kill9() {
    if (this.#ended !== null) return;
    const gone = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await gone;
  }

  #until(condition, seconds, what) {
    return new Promise((resolve, reject) => {
      const done = (settle, value) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle(value);
      };
      const look = () => condition() && done(resolve);
      const timer = setTimeout(() => done(reject, this.#wrong(`did not ${what} within ${seconds} s`)), seconds * 1000);
      this.#watchers.add(look);
      look();
    });
  }

  #wrong(what) {
    return new Error(`${this.title} ${what}; it printed:\n${this.output}`);
  }
}
