import type { LoggedMessage, LogRead, LogStore, RecoveredQueue } from '@chapar/core';

/** What recovery found, with the messages that a queue would read. */
export interface RecoveredMessages extends RecoveredQueue {
  readonly messages: readonly LoggedMessage[];
}

/** Reads everything that was recovered, in steps so small that it takes several, and holds it against what recovery said. */
export async function readRecovered(
  logs: LogStore,
  recovered: readonly RecoveredQueue[],
  bytesMax = 1000,
): Promise<RecoveredMessages[]> {
  const found: RecoveredMessages[] = [];
  for (const queue of recovered) {
    const messages: LoggedMessage[] = [];
    for (let from = queue.first; from <= queue.last && queue.count > 0; ) {
      const read = await new Promise<LogRead>((done) => {
        logs.log(queue.incarnation).read(from, queue.last, bytesMax, done);
      });
      if (read.upTo < from || read.upTo > queue.last) throw new Error(`read from ${from} up to ${read.upTo}`);
      messages.push(...read.messages);
      if (read.unreadable.length > 0) throw new Error(`${read.unreadable.length} messages are unreadable`);
      from = read.upTo + 1;
    }
    const bytes = messages.reduce((sum, { message }) => sum + message.bodyBytes, 0);
    const said = [queue.count, queue.bytes, queue.first, queue.last];
    const seen = [messages.length, bytes, messages[0]?.position ?? 0, messages.at(-1)?.position ?? 0];
    if (said.join() !== seen.join()) throw new Error(`recovery says ${said}, reading says ${seen}`);
    found.push({ ...queue, messages });
  }
  return found;
}
