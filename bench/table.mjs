// Medians, ranges and ratios as a Markdown table that can stand in a document as it is.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function digits(value) {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** Three significant digits or so; microseconds become milliseconds, counts thousands and millions. */
function scaled(value, unit) {
  if (unit === 'µs') return value >= 1000 ? `${digits(value / 1000)} ms` : `${digits(value)} µs`;
  const scale = value >= 1e6 ? ' M' : value >= 10_000 ? ' K' : '';
  const number = digits(value / (scale === ' M' ? 1e6 : scale === ' K' ? 1000 : 1));
  return `${number}${scale}${unit ? ` ${unit}` : ''}`;
}

function range(values, unit) {
  if (values.length === 0) return '–';
  const text = scaled(median(values), unit);
  return values.length === 1 ? text : `${text} (${scaled(Math.min(...values))}–${scaled(Math.max(...values))})`;
}

function ratioOf(ours, theirs) {
  if (ours.length === 0 || theirs.length === 0) return undefined;
  return median(ours) / median(theirs);
}

function wantedText(figure) {
  if (figure.wantedAtMost !== undefined) return `≤ ${figure.wantedAtMost} ${figure.unit}`;
  if (figure.wanted === undefined) return '';
  return figure.better === 'more' ? `≥ ${figure.wanted}x` : `≤ ${figure.wanted}x`;
}

/** yes, no, or nothing when the row asks for nothing or there is nothing to compare with. */
function reached(figure, ours, ratio) {
  if (ours.length === 0) return '';
  if (figure.wantedAtMost !== undefined) return median(ours) <= figure.wantedAtMost ? 'yes' : '**no**';
  if (figure.wanted === undefined || ratio === undefined) return '';
  const enough = figure.better === 'more' ? ratio >= figure.wanted : ratio <= figure.wanted;
  return enough ? 'yes' : '**no**';
}

function read(figure, results) {
  return results.map(figure.read).filter((value) => Number.isFinite(value));
}

function figureLine(row, figure, first, outcome, names, wantsShown) {
  const values = names.map((name) => read(figure, outcome[name]));
  const cells = [first ? row.title : '', figure.label ?? '', ...values.map((list) => range(list, figure.unit))];
  const ratio = names.length > 1 ? ratioOf(values[0], values[1]) : undefined;
  if (names.length > 1) cells.push(ratio === undefined ? '–' : `${ratio.toFixed(2)}x`);
  if (wantsShown) cells.push(wantedText(figure), reached(figure, values[0], ratio));
  return cells;
}

const COSTS = [
  { label: 'CPU s per million', read: (result) => result.broker?.cpuSecondsPerMillion },
  { label: 'peak RSS', unit: 'MiB', read: (result) => (result.broker?.peakRssBytes ?? result.peakRssBytes) / 2 ** 20 },
];

function costLines(row, outcome, names, wantsShown) {
  const shown = COSTS.filter((cost) => names.some((name) => read(cost, outcome[name]).length > 0));
  return shown.map((cost) => figureLine(row, cost, false, outcome, names, wantsShown));
}

const WRONGS = ['missing', 'gaps', 'reordered', 'nacked', 'blocked'];
const GENERATOR_BUSY = 0.9;
const MACHINE_DISTURBED = 0.25;

const most = (results, key) => Math.max(0, ...results.map((result) => result[key] ?? 0));

function warningsOf(row, results) {
  const generator = most(results, 'generatorCpuShare');
  const others = most(results, 'othersCpuShare');
  const found = results.flatMap((result) => WRONGS.filter((key) => result[key]).map((key) => `${key} ${result[key]}`));
  if (generator > GENERATOR_BUSY && !row.generatorMayBeBusy)
    found.push(`the generator used up to ${Math.round(generator * 100)} % of a core and may be what limits`);
  if (others > MACHINE_DISTURBED)
    found.push(`disturbed: other programs used up to ${Math.round(others * 100)} % of a core meanwhile`);
  return found;
}

/** What must be known beside a figure to trust it: errors, a generator at its limit, a machine that was not ours. */
export function warnings(row, outcome) {
  const lines = ([name, results]) => warningsOf(row, results).map((text) => `${row.name}, ${name}: ${text}`);
  return Object.entries(outcome).flatMap(lines);
}

/** `outcomes`: one { row, outcome: { brokerName: results[] } } for each row; the first broker is ours. */
export function table(outcomes, names, wantsShown) {
  const head = ['row', '', ...names];
  if (names.length > 1) head.push('ratio');
  if (wantsShown) head.push('wanted', 'reached');
  const lines = [head, head.map(() => '---')];
  for (const { row, outcome } of outcomes) {
    lines.push(...row.figures.map((figure, i) => figureLine(row, figure, i === 0, outcome, names, wantsShown)));
    lines.push(...costLines(row, outcome, names, wantsShown));
  }
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
