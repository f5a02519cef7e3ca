import { dirname, join } from 'node:path';
import {
  DIALECT_AMQP091,
  DIALECT_MQTT,
  type KeptAside,
  type LoggedMessage,
  type LogRead,
  type Range,
} from '@chapar/core';
import type { DiskFile } from '@chapar/platform';
import type { NumberedLog } from './numbered-log.js';
import type { WalPlace } from './wal-files.js';

/** Of messages that are in memory at a time. Bytes. */
const readBytesMax = 1024 * 1024;

const dialects: Readonly<Record<number, string>> = { [DIALECT_AMQP091]: 'amqp-0-9-1', [DIALECT_MQTT]: 'mqtt' };

/**
 * Writes messages to a file beside the write-ahead log that nobody reads or deletes but people: `aside/<incarnation>-<time>.jsonl`, a line of
 * JSON each (docs/FORMAT.md).
 */
export async function writeAside(place: WalPlace, log: NumberedLog, ranges: readonly Range[]): Promise<KeptAside> {
  const { disk, clock } = place;
  const directory = join(dirname(place.directory), 'aside');
  await disk.makeDirectory(directory);
  await disk.syncDirectory(dirname(directory));
  const time = new Date(clock.wallMs()).toISOString().replaceAll(':', '-');
  const path = join(directory, `${encodeURIComponent(log.incarnation)}-${time}.jsonl`);
  const file = await disk.open(path, { create: true });
  try {
    const count = await copy(log, ranges, file);
    await new Promise<void>((resolve, reject) => file.sync((error) => (error === null ? resolve() : reject(error))));
    await disk.syncDirectory(directory);
    return { path, count };
  } finally {
    await file.close();
  }
}

async function copy(log: NumberedLog, ranges: readonly Range[], file: DiskFile): Promise<number> {
  // What is there already was written in the same millisecond, by another try.
  let offset = file.bytesAtOpen;
  let count = 0;
  for (const { first, last } of ranges) {
    for (let from = first; from <= last; ) {
      const { messages, upTo } = await new Promise<LogRead>((done) => log.read(from, last, readBytesMax, done));
      const bytes = Buffer.from(messages.map(lineOf).join(''));
      await write(file, bytes, offset);
      offset += bytes.length;
      count += messages.length;
      from = upTo + 1;
    }
  }
  return count;
}

function write(file: DiskFile, bytes: Buffer, offset: number): Promise<void> {
  if (bytes.length === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    file.writev([bytes], offset, (error) => (error === null ? resolve() : reject(error)));
  });
}

function lineOf({ position, message }: LoggedMessage): string {
  const { address, dialect, persistent, priority, expirationMs, receivedAtMs } = message;
  const properties = message.bytes.subarray(message.propertiesStart, message.propertiesEnd);
  const line = {
    position,
    exchange: address.exchange,
    routing_key: address.routingKey,
    received: receivedAtMs === 0 ? null : new Date(receivedAtMs).toISOString(),
    persistent,
    priority: priority < 0 ? null : priority,
    expiration_ms: expirationMs < 0 ? null : expirationMs,
    dialect: dialects[dialect] ?? String(dialect),
    properties: properties.toString('base64'),
    body: message.body().toString('base64'),
  };
  return `${JSON.stringify(line)}\n`;
}
