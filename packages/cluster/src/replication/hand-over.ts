import type { Clock } from '@chapar/platform';
import type { Copy, CopyHost } from './copy.js';

/** Whoever takes over may catch up for so long while nobody publishes. Milliseconds. */
const catchUpMs = 200;
const lookEveryMs = 5;

/**
 * The lead goes to another member of the set, if this copy leads and there is one. Nothing new is taken meanwhile; what was not committed
 * by then is published again by whoever sent it. Resolves when the record says so, or when the time is over: an unknown answer keeps
 * the fence.
 */
export async function handOver(copy: Copy, host: CopyHost, clock: Clock, timeoutMs: number): Promise<void> {
  const { reign } = copy;
  const to = host.successor(copy);
  if (reign === null || to === null) return;
  const endMs = clock.monotonicMs() + timeoutMs;
  const until = async (isDone: () => boolean, untilMs: number): Promise<void> => {
    while (!isDone() && !reign.isOver && clock.monotonicMs() < Math.min(untilMs, endMs))
      await new Promise<void>((done) => clock.after(lookEveryMs, done));
  };
  reign.isFenced = true;
  // A turn's settlements are changes by then.
  reign.log.flush();
  const { leader } = reign;
  const [end, changes] = [reign.log.end, leader.ledger.number];
  const member = leader.member(to);
  const hasAll = () => member.synced >= end && member.changesSynced >= changes && leader.committed >= end;
  await until(hasAll, clock.monotonicMs() + catchUpMs);
  let isAsked = false;
  // Something else may be under way.
  await until(() => (isAsked = copy.resign(to)), endMs);
  if (isAsked) await until(() => false, endMs);
}
