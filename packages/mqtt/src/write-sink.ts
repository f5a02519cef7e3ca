/** Somebody who has something of a session written down, and is told when it would survive a crash. */
export interface WriteSink {
  /** `at`: the number that was given with it. */
  written(packetId: number, at: number): void;
}
