/** From when to when something was wrong on purpose; milliseconds since 1970. */
export interface Span {
  readonly kind: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What was done to a cluster, and what was seen of it meanwhile, with the time at which it was. */
export class Timeline {
  readonly beganMs = Date.now();
  readonly spans: Span[] = [];
  /** When all had been well for a moment. */
  readonly quiet: number[] = [];
  private readonly lines: { readonly ms: number; readonly text: string }[] = [];
  private readonly listener: (line: string) => void;

  /** The listener is told each line as it is written. */
  constructor(listener: (line: string) => void = () => {}) {
    this.listener = listener;
  }

  note(text: string, ms = Date.now()): void {
    this.lines.push({ ms, text });
    this.listener(this.shown(ms, text));
  }

  wrong(kind: string, fromMs: number): void {
    this.spans.push({ kind, fromMs, toMs: Date.now() });
  }

  /** Seconds since it began, and the time of day, which is what the logs of nodes go by. */
  toString(): string {
    return this.lines.map(({ ms, text }) => this.shown(ms, text)).join('\n');
  }

  private shown(ms: number, text: string): string {
    const seconds = ((ms - this.beganMs) / 1000).toFixed(2).padStart(7);
    return `${seconds} s  ${new Date(ms).toISOString().slice(11, 23)}  ${text}`;
  }
}
