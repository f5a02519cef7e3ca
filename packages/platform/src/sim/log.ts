import type { Log, LogLevel } from '../log.js';

/** A line as it was logged. */
export interface SimLogLine {
  readonly level: Exclude<LogLevel, 'silent'>;
  /** Null for the root's own lines. */
  readonly packageName: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

const ranks: Record<LogLevel, number> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, silent: 5 };

/** What the logs of one machine share. */
interface SimLogTree {
  readonly lines: SimLogLine[];
  level: LogLevel;
  listen: ((line: SimLogLine) => void) | null;
}

/** Keeps its lines for a test to look at. */
export class SimLog implements Log {
  private readonly tree: SimLogTree;
  private readonly packageName: string | null;

  constructor(tree: SimLogTree = { lines: [], level: 'trace', listen: null }, packageName: string | null = null) {
    this.tree = tree;
    this.packageName = packageName;
  }

  /** Lines of this log and of all others of its tree, oldest first. */
  get lines(): readonly SimLogLine[] {
    return this.tree.lines;
  }

  trace(fields: object, message: string): void {
    this.keep('trace', fields, message);
  }

  debug(fields: object, message: string): void {
    this.keep('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.keep('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.keep('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.keep('error', fields, message);
  }

  isEnabled(level: Exclude<LogLevel, 'silent'>): boolean {
    return ranks[level] >= ranks[this.tree.level];
  }

  of(packageName: string): SimLog {
    return new SimLog(this.tree, packageName);
  }

  /** Called with each line that is kept, for the whole tree. */
  set listen(listen: (line: SimLogLine) => void) {
    this.tree.listen = listen;
  }

  /** The lowest level that is kept, for the whole tree. */
  setLevel(level: LogLevel): void {
    this.tree.level = level;
  }

  /** Lines whose message contains `text`, of one level or of all. */
  find(text: string, level?: SimLogLine['level']): SimLogLine[] {
    return this.lines.filter((line) => line.message.includes(text) && (level === undefined || line.level === level));
  }

  private keep(level: SimLogLine['level'], fields: object, message: string): void {
    if (!this.isEnabled(level)) return;
    const line = { level, packageName: this.packageName, fields: { ...fields }, message };
    this.tree.lines.push(line);
    this.tree.listen?.(line);
  }
}
