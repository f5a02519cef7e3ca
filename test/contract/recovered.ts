import type { LoggedMessage, LogRead, LogStore, RecoveredQueue } from '@chapar/core';

/** Whoever goes over what was recovered sees the same messages. */
function assertVisited(queue: RecoveredQueue, messages: readonly LoggedMessage[]): void {
  const seen: string[] = [];
  queue.visit((position, priority, bodyBytes) => seen.push(`${position} ${priority} ${bodyBytes}`));
  const read = messages.map(({ position, message }) => {
    return `${position} ${Math.max(message.priority, 0)} ${message.bodyBytes}`;
  });
  if (seen.join() !== read.join()) throw new Error(`visited: ${seen}, read: ${read}`);
}

/** Reading every second one by its position, and some that are not there, finds those. */
async function assertFoundAt(logs: LogStore, queue: RecoveredQueue, all: readonly LoggedMessage[]): Promise<void> {
  const wanted = all.filter((_, i) => i % 2 === 1);
  const positions = [...wanted.map(({ position }) => position), queue.last + 1, queue.last + 5];
  for (let read = 0; positions.length > 0; ) {
    const { messages, upTo, unreadable } = await new Promise<LogRead>((done) => {
      logs.log(queue.incarnation).readAt([...positions], 1000, done);
    });
    if (unreadable.length > 0 || upTo < positions[0]!) throw new Error(`read at ${positions} up to ${upTo}`);
    for (const { position, message } of messages) {
      const expected = wanted[read++];
      const isSame = expected?.position === position && expected.message.body().equals(message.body());
      if (!isSame) throw new Error(`read ${position} instead of ${expected?.position}`);
    }
    while (positions[0]! <= upTo) positions.shift();
    if (positions.length === 0 && read < wanted.length) throw new Error(`${read} read of ${wanted.length}`);
  }
}

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
    assertVisited(queue, messages);
    await assertFoundAt(logs, queue, messages);
    found.push({ ...queue, messages });
  }
  return found;
}
