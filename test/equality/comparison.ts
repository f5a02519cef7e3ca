import { additions, blocks, texts } from './differences.js';

export interface Verdict {
  /** Where they differ and no difference is listed; null when they are equal but for listed ones. */
  readonly unexplained: string | null;
  /** The listed differences that were found. */
  readonly found: ReadonlySet<object>;
}

/** Walks through what RabbitMQ said and what Chapar said, line by line, past the differences that are listed. */
export function compare(session: string, theirs: string, ours: string): Verdict {
  const found = new Set<object>();
  const [left, right] = [theirs.split('\n'), ours.split('\n')];
  let [at, to] = [0, 0];
  while (at < left.length || to < right.length) {
    const block = blocks.find(
      (one) => one.session === session && startsWith(left, at, one.theirs) && startsWith(right, to, one.ours),
    );
    if (block !== undefined) {
      found.add(block);
      at += block.theirs.length;
      to += block.ours.length;
      continue;
    }
    if (left[at] !== right[to]) {
      const addition = additions.find(({ ours }) => ours.test(right[to] ?? ''));
      if (addition !== undefined) {
        found.add(addition);
        to++;
        continue;
      }
      const text = texts.find((one) => isTold(one, left[at] ?? '', right[to] ?? ''));
      if (text === undefined) return { unexplained: excerpt(left, at, right, to), found };
      found.add(text);
    }
    at++;
    to++;
  }
  return { unexplained: null, found };
}

function startsWith(lines: readonly string[], at: number, wanted: readonly string[]): boolean {
  return wanted.every((line, offset) => lines[at + offset] === line);
}

/** Both have their form, and what the groups of the forms caught is the same. */
function isTold({ theirs, ours }: { theirs: RegExp; ours: RegExp }, left: string, right: string): boolean {
  const [one, other] = [theirs.exec(left), ours.exec(right)];
  if (one === null || other === null) return false;
  return one.slice(1).join('\n') === other.slice(1).join('\n');
}

function excerpt(left: readonly string[], at: number, right: readonly string[], to: number): string {
  const said = (lines: readonly string[], from: number) =>
    lines
      .slice(from, from + 6)
      .map((line) => `    ${line}`)
      .join('\n');
  return [
    `line ${at + 1}, after`,
    said(left.slice(0, at), Math.max(at - 3, 0)),
    '  RabbitMQ goes on',
    said(left, at),
    '  Chapar goes on',
    said(right, to),
  ].join('\n');
}
