const GENERATED = /amq\.(gen|ctag|rabbitmq\.reply-to)[-.][\w\-+/=.]{12,}/g;

/** What a broker makes up anew each time, replaced by a number in the order of appearance. */
export class Masks {
  private readonly seen = new Map<string, string>();

  apply(line: string): string {
    return line.replace(GENERATED, (name, kind: string) => {
      const mask = this.seen.get(name) ?? `amq.${kind}<${this.seen.size + 1}>`;
      this.seen.set(name, mask);
      return mask;
    });
  }
}
