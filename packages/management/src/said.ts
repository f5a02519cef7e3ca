import type { Log } from '@chapar/platform';

/** Says a thing once, however often it happens. */
export class Said {
  private readonly log: Log;
  private readonly said = new Set<string>();

  constructor(log: Log) {
    this.log = log;
  }

  warn(fields: object, message: string): void {
    if (this.said.has(message)) return;
    this.said.add(message);
    this.log.warn(fields, message);
  }
}

/** What is stored, listed and exported by this version, and acts from a later one on. */
export const parametersDoNotAct = 'parameters are kept, listed and exported, and have no effect in this version';
