import { type Logger, pino, stdSerializers } from 'pino';
import { build as buildPretty } from 'pino-pretty';
import type { Log, LogLevel } from '../log.js';

/** What a log line is written to: a synchronous stream, so that the last words before an exit are not lost. */
export interface LogDestination {
  write(line: string): void;
  flushSync?(): void;
}

export interface NodeLogOptions {
  /** Level of every package that `levels` does not name. Default `info`. */
  readonly level?: LogLevel;
  /** Levels by package name. */
  readonly levels?: Readonly<Record<string, LogLevel>>;
  /** Lines for people instead of JSON. Default: whether standard output is a terminal. */
  readonly pretty?: boolean;
  /** A file descriptor or a stream. Default: standard output. */
  readonly destination?: number | LogDestination;
}

/** A pino logger per package. */
export class NodeLog implements Log {
  private readonly logger: Logger;
  private readonly roots: LogRoots;

  constructor(logger: Logger, roots: LogRoots) {
    this.logger = logger;
    this.roots = roots;
  }

  trace(fields: object, message: string): void {
    this.logger.trace(fields, message);
  }

  debug(fields: object, message: string): void {
    this.logger.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.logger.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.logger.error(fields, message);
  }

  isEnabled(level: Exclude<LogLevel, 'silent'>): boolean {
    return this.logger.isLevelEnabled(level);
  }

  /** The same object for the same name, however often it is asked for. */
  of(packageName: string): NodeLog {
    return this.roots.of(packageName);
  }

  /** Hands over what is buffered; lines are written synchronously, so only a foreign destination may hold any. */
  flush(): void {
    this.roots.destination.flushSync?.();
  }
}

/** What all logs of one process share. */
class LogRoots {
  readonly destination: LogDestination;
  private readonly base: Logger;
  private readonly levels: Readonly<Record<string, LogLevel>>;
  private readonly packages = new Map<string, NodeLog>();

  constructor(options: NodeLogOptions) {
    this.destination = openDestination(options);
    this.levels = options.levels ?? {};
    // The root is as open as the most talkative package needs: a pino child takes any level, this only sets the default.
    this.base = pino(
      {
        level: options.level ?? 'info',
        base: null,
        serializers: { err: stdSerializers.err, error: stdSerializers.err },
        formatters: { level: (label) => ({ level: label }) },
      },
      this.destination,
    );
  }

  root(): NodeLog {
    return new NodeLog(this.base, this);
  }

  of(packageName: string): NodeLog {
    const known = this.packages.get(packageName);
    if (known !== undefined) return known;
    const level = this.levels[packageName];
    const child = this.base.child({ package: packageName }, level === undefined ? {} : { level });
    const log = new NodeLog(child, this);
    this.packages.set(packageName, log);
    return log;
  }
}

function openDestination(options: NodeLogOptions): LogDestination {
  const { destination = 1 } = options;
  const pretty = options.pretty ?? process.stdout.isTTY === true;
  if (pretty) {
    const target = typeof destination === 'number' ? { destination } : { destination: destination as never };
    return buildPretty({
      ...target,
      sync: true,
      ignore: 'package',
      messageFormat: '{if package}{package}: {end}{msg}',
    });
  }
  return typeof destination === 'number' ? pino.destination({ dest: destination, sync: true }) : destination;
}

/** Opens the process's log. */
export function createNodeLog(options: NodeLogOptions = {}): NodeLog {
  return new LogRoots(options).root();
}
