import { spawnSync } from 'node:child_process';

/** An address with room for programs. */
export interface Place {
  readonly name: string;
  /** On which its programs listen. */
  readonly host: string;
  /** A command that runs the one behind it there, and that ends by exec. */
  readonly wrapper: readonly string[];
  /** The wanted port where the address is its own, a free one where it is shared. */
  port(wanted: number): Promise<number>;
}

/**
 * Makes the kernel kill the program behind it when the process that started it is gone, however that went: a test that was killed
 * itself leaves no broker behind. Empty where util-linux has no such option.
 */
export const diesWithUs: readonly string[] =
  spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true']).status === 0
    ? ['setpriv', '--pdeathsig', 'KILL', '--']
    : [];
