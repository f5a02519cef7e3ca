import { Address, DIALECT_MQTT, Message, type Target } from '@chapar/core';
import { beforeEach, expect, test } from 'vitest';
import { Arrivals } from './arrivals.js';
import { Received, type ReceivedLog } from './received.js';
import type { WriteSink } from './write-sink.js';

let received: Received;
/** Tells that an identifier is in the log. */
let written: Map<number, () => void>;
let published: number[];
const target = {} as Target;

const log: ReceivedLog = {
  isApart: true,
  received: (packetId: number, sink: WriteSink, at: number) => written.set(packetId, () => sink.written(packetId, at)),
  forgotten: () => undefined,
};

beforeEach(() => {
  received = new Received();
  written = new Map();
  published = [];
});

/** Those of another connection of the session. */
function arrivals(): (...packetIds: number[]) => void {
  const of = new Arrivals(
    received,
    log,
    ({ packetId }) => published.push(packetId),
    () => undefined,
  );
  return (...packetIds) => {
    for (const packetId of packetIds) of.add(target, message(), packetId, false, false);
  };
}

function message(): Message {
  const bytes = Buffer.from('x');
  return new Message(new Address('', 'x'), DIALECT_MQTT, true, -1, -1, bytes, 0, 0, 0, 1, null, 1);
}

test('messages are published in the order in which they came, whichever identifier is in the log first', () => {
  arrivals()(1, 2, 3);
  written.get(2)!();
  expect(published).toEqual([]);
  written.get(1)!();
  expect(published).toEqual([1, 2]);
  written.get(3)!();
  expect(published).toEqual([1, 2, 3]);
});

test('those of another connection come behind those of the connections before', () => {
  arrivals()(1, 2);
  arrivals()(3);
  arrivals()(4);
  for (const packetId of [4, 3, 1]) written.get(packetId)!();
  expect(published).toEqual([1]);
  written.get(2)!();
  expect(published).toEqual([1, 2, 3, 4]);
  const add = arrivals();
  add(5);
  written.get(5)!();
  expect(published).toEqual([1, 2, 3, 4, 5]);
  expect(received.waitingBytes).toBe(0);
});
