export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Structured log. The message says what happened in words; the fields carry what a machine looks for. */
export interface Log {
  trace(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  isEnabled(level: Exclude<LogLevel, 'silent'>): boolean;
  /** The log of one package (`amqp091`, `store`, ...), whose level may differ. */
  of(packageName: string): Log;
}
