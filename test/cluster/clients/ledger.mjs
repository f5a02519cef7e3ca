// The ledger of a client in Node: lines of JSON, on the disk when the program ends.
import { closeSync, openSync, writeSync } from 'node:fs';

export class Ledger {
  #file;
  #lines = [];

  constructor(path) {
    this.#file = openSync(path, 'w');
  }

  write(entry) {
    this.#lines.push(JSON.stringify({ t: Date.now(), ...entry }));
    if (this.#lines.length >= 500) this.#flush();
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
