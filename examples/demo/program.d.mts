export interface ProgramOptions {
  cwd?: string;
  environment?: Record<string, string>;
  onLine?: (line: string) => void;
}

export class Program {
  constructor(title: string, command: readonly string[], options?: ProgramOptions);
  readonly title: string;
  readonly output: string;
  saw(text: string, options?: { times?: number; seconds?: number }): Promise<void>;
  finished(options?: { seconds?: number }): Promise<this>;
  type(line: string): void;
  kill9(): Promise<void>;
}
