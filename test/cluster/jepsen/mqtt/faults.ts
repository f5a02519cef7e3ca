/** Of each kind: one fault often brings thousands like it. */
const shownMax = 5;

export interface Suspect {
  readonly p: string;
  readonly n: number;
}

/** What the brokers must not do, in words, by kind. */
export class Faults {
  /** Whose messages they are about, the first of each kind. */
  readonly suspects: Suspect[] = [];
  private readonly byKind = new Map<string, string[]>();

  add(kind: string, { p, n, t }: Suspect & { readonly t: number }, text: string): void {
    const texts = this.byKind.get(kind) ?? [];
    this.byKind.set(kind, texts);
    if (texts.length === 0) this.suspects.push({ p, n });
    texts.push(`mqtt ${kind}: ${p} ${n} ${text} (${new Date(t).toISOString().slice(11, 23)})`);
  }

  get texts(): string[] {
    return [...this.byKind].flatMap(([kind, texts]) => {
      const more = texts.length - shownMax;
      return [...texts.slice(0, shownMax), ...(more > 0 ? [`and ${more} more: mqtt ${kind}`] : [])];
    });
  }
}
