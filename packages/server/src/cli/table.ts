/** A row of an answer of the API. */
export type Row = Readonly<Record<string, unknown>>;

export type Format = 'table' | 'tsv' | 'json';
export const formats: readonly Format[] = ['table', 'tsv', 'json'];

/** Rows as text, in one of the formats; ends with a newline. `json` keeps all fields, the others only the columns. */
export function formatRows(rows: readonly Row[], columns: readonly string[], format: Format): string {
  if (format === 'json') return `${JSON.stringify(rows, null, 2)}\n`;
  const cells = [columns, ...rows.map((row) => columns.map((column) => cell(valueAt(row, column))))];
  if (format === 'tsv') return `${cells.map((line) => line.join('\t')).join('\n')}\n`;
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  const text = (line: readonly string[]) =>
    line
      .map((part, i) => part.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  const [head = [], ...body] = cells;
  const rule = widths.map((width) => '-'.repeat(width));
  return `${[text(head), text(rule), ...body.map(text)].join('\n')}\n`;
}

/** `message_stats.publish` reaches into nested objects. */
export function valueAt(row: Row, column: string): unknown {
  if (column in row) return row[column];
  return column.split('.').reduce<unknown>((value, name) => (value as Row | null | undefined)?.[name], row);
}

/** Names come from clients: a control character in one must not move the cursor of whoever lists it. */
function cell(value: unknown): string {
  const text = inWords(value);
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function inWords(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map(inWords).join(',');
  if (typeof value === 'object') {
    const pairs = Object.entries(value).map(([name, inner]) => `${name}=${inWords(inner)}`);
    return pairs.join(' ');
  }
  return String(value);
}
