// Lines of several programs on one terminal: whose it is, in a colour of its own, then what it says. JSON log lines (ours, and etcd's)
// are made readable; anything else is passed on as it is.

const colours = [32, 33, 35, 36, 34, 92, 93, 95, 96];
const grey = 90;
const red = 31;
/** Said in the name in front of the line, in the banner, or of no use to a reader. */
const hidden = new Set(['level', 'time', 'ts', 'msg', 'package', 'pid', 'hostname', 'node', 'caller']);

/** Makes the printer of one program: `line(text)` returns what to print. */
export function linesOf(name, { index, width, coloured }) {
  const paint = (code, text) => (coloured ? `\x1b[${code}m${text}\x1b[0m` : text);
  const colour = index === null ? grey : colours[index % colours.length];
  const front = `${paint(colour, name.padEnd(width))} ${paint(grey, '|')} `;
  return (text) => {
    const said = parse(text);
    if (said === null) return `${front}${text}`;
    const { level, package: room, msg } = said;
    const grave = level === 'warn' || level === 'error' || level === 'fatal' || level === 'panic';
    const where = room === undefined ? '' : `${paint(grey, room)} `;
    const label = grave ? `${paint(level === 'warn' ? 33 : red, level)} ` : '';
    return `${front}${paint(grey, clock(said.time ?? said.ts))} ${label}${where}${msg}${paint(grey, fields(said))}`;
  };
}

/** The log line as an object; null when it is none. */
export function parse(text) {
  if (!text.startsWith('{')) return null;
  try {
    const said = JSON.parse(text);
    return typeof said.msg === 'string' ? said : null;
  } catch {
    return null;
  }
}

/** `12:34:56`, of this machine's time zone. */
function clock(time) {
  const date = new Date(time ?? Date.now());
  return Number.isNaN(date.getTime()) ? '' : date.toTimeString().slice(0, 8);
}

function fields(said) {
  const pairs = Object.entries(said).filter(([key]) => !hidden.has(key));
  return pairs.map(([key, value]) => ` ${key}=${inWords(value)}`).join('');
}

function inWords(value) {
  if (value !== null && typeof value === 'object') return value.message ?? JSON.stringify(value);
  return String(value);
}
