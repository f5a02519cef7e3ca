/** A verb could not do what it was asked to: told in words, without a stack. */
export class CommandError extends Error {
  readonly wayOut: string;
  readonly exitCode: 1 | 2;

  /** Exit code 2: the command line is at fault; 1: anything else. */
  constructor(cause: string, wayOut: string, exitCode: 1 | 2 = 1) {
    super(cause);
    this.wayOut = wayOut;
    this.exitCode = exitCode;
  }
}
