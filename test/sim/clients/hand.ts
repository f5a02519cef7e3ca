import type { Question } from '../cluster/traffic.js';
import { SessionLostError } from './client.js';
import { ProberClient } from './prober.js';

/** Does what a step of a story says, one thing after the other, at one node. */
export class HandClient extends ProberClient {
  /** Resolves with the key of the error, null when it was done; `lost` when nobody knows. */
  async try(question: Question): Promise<string | null> {
    try {
      await this.ask(question);
      return null;
    } catch (error) {
      if (error instanceof SessionLostError) return error.key ?? 'lost';
      throw error;
    }
  }

  /** A story knows what it provokes. */
  protected override expects(): boolean {
    return true;
  }
}
