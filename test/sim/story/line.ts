/** A line of a story that cannot be understood. */
export class StoryError extends Error {}

/** The words of one line of a story, read from left to right. */
export class Line {
  readonly text: string;
  private readonly words: string[];

  constructor(text: string) {
    this.text = text;
    this.words = text.split(/\s+/).filter((word) => word !== '');
  }

  get isEmpty(): boolean {
    return this.words.length === 0;
  }

  /** The next word. */
  word(what: string): string {
    const word = this.words.shift();
    if (word === undefined) throw this.error(`${what} is missing`);
    return word;
  }

  /** Takes the next word when it is this one. */
  has(word: string): boolean {
    if (this.words[0] !== word) return false;
    this.words.shift();
    return true;
  }

  /** Takes the next word, which must be this one. */
  must(word: string): void {
    if (!this.has(word)) throw this.error(`'${word}' was expected, not '${this.words[0] ?? 'the end'}'`);
  }

  list(what: string): string[] {
    return this.word(what).split(',');
  }

  number(what: string): number {
    const word = this.word(what);
    const number = Number(word);
    if (!Number.isFinite(number)) throw this.error(`${what} is no number: '${word}'`);
    return number;
  }

  /** `250ms`, `2s`, `1h`. Milliseconds. */
  time(what: string): number {
    const word = this.word(what);
    const match = /^(-?\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(word);
    if (match === null) throw this.error(`${what} is no time: '${word}'`);
    return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h'];
  }

  /** `10%`. Of 1. */
  share(what: string): number {
    const word = this.word(what);
    const match = /^(\d+(?:\.\d+)?)%$/.exec(word);
    if (match === null) throw this.error(`${what} is no percentage: '${word}'`);
    return Number(match[1]) / 100;
  }

  end(): void {
    if (!this.isEmpty) throw this.error(`'${this.words.join(' ')}' is not understood`);
  }

  error(why: string): StoryError {
    return new StoryError(`${why} (in: ${this.text.trim()})`);
  }
}
