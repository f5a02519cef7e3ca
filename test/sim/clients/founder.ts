import type { Question } from '../cluster/traffic.js';
import { SimClient } from './client.js';

/** Declares what a story begins with. */
export class FounderClient extends SimClient {
  private readonly questions: readonly Question[];
  private asked = 0;

  constructor(questions: readonly Question[], ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.questions = questions;
  }

  protected async work(): Promise<void> {
    for (; this.asked < this.questions.length; this.asked++) await this.ask(this.questions[this.asked]!);
    this.isStopping = true;
  }

  protected heard(): void {}
}
