/**
 * Where a text stops being JSON (RFC 8259), for people who look for their mistake: the engine's own messages do not all say it. Walks
 * without recursion, since the text is somebody else's.
 */
export function jsonFault(text: string): { readonly line: number; readonly column: number } {
  const before = text.slice(0, new Walk(text).run()).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

const literal = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

class Walk {
  private readonly text: string;
  private at = 0;
  /** The brackets that are open, by what closes them. */
  private readonly open: ('}' | ']')[] = [];

  constructor(text: string) {
    this.text = text;
  }

  /** The index of the first character that cannot stand where it stands; the length when something is missing at the end. */
  run(): number {
    let goesOn = this.value();
    while (goesOn && this.open.length > 0) goesOn = this.next();
    if (goesOn) this.skipSpace();
    return this.at;
  }

  /** After a value inside brackets: the end of them, or another. */
  private next(): boolean {
    this.skipSpace();
    if (this.take(this.open.at(-1)!)) {
      this.open.pop();
      return true;
    }
    return this.take(',') && this.member();
  }

  private member(): boolean {
    if (this.open.at(-1) === ']') return this.value();
    this.skipSpace();
    if (!this.string()) return false;
    this.skipSpace();
    return this.take(':') && this.value();
  }

  /** A value, or a bracket and the first value in it. */
  private value(): boolean {
    for (;;) {
      this.skipSpace();
      if (this.take('{')) {
        this.open.push('}');
        this.skipSpace();
        if (this.text[this.at] === '}') return true;
        if (!this.string()) return false;
        this.skipSpace();
        if (!this.take(':')) return false;
      } else if (this.take('[')) {
        this.open.push(']');
        this.skipSpace();
        if (this.text[this.at] === ']') return true;
      } else return this.text[this.at] === '"' ? this.string() : this.literal();
    }
  }

  private literal(): boolean {
    literal.lastIndex = this.at;
    const found = literal.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found !== '';
  }

  private string(): boolean {
    if (!this.take('"')) return false;
    for (; this.at < this.text.length; this.at++) {
      const character = this.text[this.at]!;
      if (character === '"') {
        this.at++;
        return true;
      }
      if (character < ' ') return false;
      if (character === '\\' && !this.escape()) return false;
    }
    return false;
  }

  /** Leaves `at` on the last character of the escape. */
  private escape(): boolean {
    const kind = this.text[this.at + 1] ?? '';
    if (kind === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(this.text.slice(this.at + 2, this.at + 6))) return false;
      this.at += 5;
      return true;
    }
    if (!'"\\/bfnrt'.includes(kind) || kind === '') return false;
    this.at++;
    return true;
  }

  private skipSpace(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at++;
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }
}
