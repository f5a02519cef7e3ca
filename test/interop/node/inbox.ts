import type { Client, ConsumeOptions, Received } from './client.js';

/** Collects what a consumer gets, so that a scenario can ask for it one by one. */
export class Inbox {
  readonly all: Received[] = [];
  #taken = 0;
  #wake: () => void = () => {};

  static async open(client: Client, queue: string, options: ConsumeOptions = {}): Promise<Inbox> {
    const inbox = new Inbox();
    inbox.consumerTag = await client.consume(queue, options, (message) => {
      inbox.all.push(message);
      inbox.#wake();
    });
    return inbox;
  }

  consumerTag = '';

  get texts(): string[] {
    return this.all.map((message) => message.body.toString());
  }

  /** The next message; rejects when none comes within 10 s. */
  async next(): Promise<Received> {
    const deadline = Date.now() + 10_000;
    while (this.#taken >= this.all.length) await this.#arrival(deadline);
    return this.all[this.#taken++]!;
  }

  /** The next `count` messages. */
  async take(count: number): Promise<Received[]> {
    const taken: Received[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  #arrival(deadline: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const missing = () => reject(new Error(`no further message came; until now: ${this.texts.join(', ')}`));
      const timer = setTimeout(missing, deadline - Date.now());
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
