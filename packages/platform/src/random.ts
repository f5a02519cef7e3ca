/** Randomness as a parameter: the Node twin is cryptographic, the simulated one is seeded and repeatable. */
export interface Random {
  bytes(count: number): Buffer;
  /** An integer from 0 up to, not including, `below`. */
  integer(below: number): number;
  /** A random UUID (version 4) in its usual text form. */
  uuid(): string;
}
