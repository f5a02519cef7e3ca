/** An error of the registry. */
export interface Entry {
  readonly code: number;
  readonly name: string;
  readonly scope: 'channel' | 'connection';
  /** `{name}` stands for a parameter. */
  readonly text: string;
  readonly cause: string;
  readonly hint: string;
}

export const channel = <T extends string>(code: number, name: string, text: T, cause: string, hint: string) =>
  ({ code, name, scope: 'channel', text, cause, hint }) as const;
export const connection = <T extends string>(code: number, name: string, text: T, cause: string, hint: string) =>
  ({ code, name, scope: 'connection', text, cause, hint }) as const;
