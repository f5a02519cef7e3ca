// The ledger of a client in Node: lines of JSON, on the disk when the program ends.
import { closeSync, openSync, writeSync } from 'node:fs';

export class Ledger {
  #file;
  #lines = [];
  #linesMax;

  /** It is written when so many lines are there; 1: whoever reads meanwhile finds everything. */
  constructor(path, linesMax = 500) {
    this.#file = openSync(path, 'w');
    this.#linesMax = linesMax;
  }

  write(entry) {
    this.#lines.push(JSON.stringify({ t: Date.now(), ...entry }));
    if (this.#lines.length >= this.#linesMax) this.#flush();
  }

  close() {
    this.#flush();
    closeSync(this.#file);
  }

  #flush() {
    if (this.#lines.length > 0) writeSync(this.#file, `${this.#lines.join('\n')}\n`);
    this.#lines = [];
  }
}

export function bodyOf(name, connection, id, queue, bytes) {
  return Buffer.from(`${name} ${connection} ${id} ${queue} ${bytes} `.padEnd(bytes, '.'));
}

export function originOf(body) {
  const [p, ps, id, q, bytes] = body.toString('latin1', 0, 200).split(' ', 5);
  const ok = bodyOf(p, ps, id, q, Number(bytes)).equals(body);
  return { p, ps: Number(ps), id: Number(id), ok };
}
