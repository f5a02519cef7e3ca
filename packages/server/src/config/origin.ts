/** Where a value comes from. Later ones win: default, file, environment, flag. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string };

/** `chapar.yaml line 3`, `environment CHAPAR_LOG__LEVEL`, `flag --listen`, `default`. */
export function formatOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.path} line ${origin.line}`;
    case 'environment':
      return `environment ${origin.variable}`;
    case 'flag':
      return `flag ${origin.flag}`;
  }
}

/** One value that somebody gave, before anybody has looked whether it makes sense. */
export interface Assignment {
  /** `limits.channelMax`; need not exist. */
  readonly key: string;
  readonly value: unknown;
  readonly origin: Origin;
}
