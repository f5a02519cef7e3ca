/** The moment from which on a mirrored queue serves under a new leader, and who waits for it. */
export class Beginning {
  private isPast = false;
  private waiting: (() => void)[] = [];

  /** Resolves when it is past. */
  past(): Promise<void> {
    return this.isPast ? Promise.resolve() : new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  pass(): void {
    this.isPast = true;
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}
