/** What happened in a run, line by line: always as a hash, by which two runs are compared; as lines when somebody wants to read them. */
export class Trace {
  private readonly lines: string[] = [];
  private readonly linesMax: number;
  private low = 0x811c9dc5;
  private high = 0x01000193;
  count = 0;

  /** `linesMax`: the last so many are kept. */
  constructor(linesMax: number) {
    this.linesMax = linesMax;
  }

  note(ms: number, who: string, what: string): void {
    const line = `${ms.toFixed(3)} ${who}: ${what}`;
    this.count++;
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      this.low = Math.imul(this.low ^ code, 0x01000193);
      this.high = Math.imul(this.high + code, 0x85ebca6b) ^ (this.high >>> 13);
    }
    if (this.linesMax === 0) return;
    this.lines.push(line);
    if (this.lines.length > 2 * this.linesMax) this.lines.splice(0, this.linesMax);
  }

  get hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
    return hex(this.high) + hex(this.low);
  }

  get last(): readonly string[] {
    return this.lines.slice(-this.linesMax);
  }
}
