import { type SharedQueue, Turn } from '@chapar/core';
import { createSimPlatform, type SimPlatform } from '@chapar/platform';
import { beforeEach, expect, test } from 'vitest';
import { Completions } from './completions.js';

let platform: SimPlatform;
let completions: Completions;
/** Identifiers that the log may forget. */
let forgotten: number[];
/** Those without PUBCOMP. */
let released: Set<number>;
/** Says that all that was settled when it was asked is for good, or that nobody knows. */
let forGood: ((isSure: boolean) => void)[];
const queue = { settledForGood: () => new Promise<boolean>((resolve) => forGood.push(resolve)) } as SharedQueue;

beforeEach(() => {
  platform = createSimPlatform(1);
  forgotten = [];
  released = new Set();
  forGood = [];
  const isReleased = (packetId: number): boolean => released.has(packetId);
  completions = new Completions(new Turn(platform.clock), isReleased, (packetId) => forgotten.push(packetId));
  completions.return();
});

const minutes = (count: number): Promise<void> => platform.clock.advance(count * 60_000);

test('an identifier is known until its settlement is for good and PUBCOMP has come, whichever is first', async () => {
  completions.settled(1, 101);
  completions.settled(2, 102);
  completions.ask(queue);
  // One question for all of a turn.
  expect(forGood).toHaveLength(1);
  completions.complete(1, 101);
  expect([forgotten, completions.has(101)]).toEqual([[], true]);
  forGood[0]!(true);
  await platform.clock.advance(1);
  expect([forgotten, completions.has(101), completions.has(102)]).toEqual([[1], false, false]);
  completions.complete(2, 102);
  expect(forgotten).toEqual([1, 2]);
});

test('when another leader may not have heard of the settlement the message is known for two minutes more, and its identifier', async () => {
  completions.settled(1, 101);
  completions.ask(queue);
  completions.complete(1, 101);
  forGood[0]!(false);
  await minutes(1);
  // One that comes later has its own time.
  completions.doubt(2, 102);
  await minutes(1.5);
  expect([forgotten, completions.has(101), completions.has(102)]).toEqual([[], true, true]);
  await minutes(2);
  expect([forgotten, completions.has(101), completions.has(102)]).toEqual([[1, 2], false, false]);
});

test('of an owner before: its identifier is not forgotten while its client has not completed it', async () => {
  completions.doubt(1, 101);
  released.add(1);
  await minutes(5);
  expect([forgotten, completions.has(101)]).toEqual([[], false]);
  completions.complete(1, 101);
  expect(forgotten).toEqual([1]);
});

test('what is in doubt is known for as long as its client is away, and two minutes from when it is back', async () => {
  completions.doubt(1, 101);
  completions.leave();
  await minutes(60);
  expect([forgotten, completions.has(101)]).toEqual([[], true]);
  completions.return();
  await minutes(1);
  expect(completions.has(101)).toBe(true);
  await minutes(4);
  expect([forgotten, completions.has(101)]).toEqual([[1], false]);
});

test('when the queue has given again what was in doubt, it is known until that is settled for good', async () => {
  completions.doubt(1, 101);
  completions.complete(1, 101);
  completions.settledAgain(101, true);
  completions.ask(queue);
  await minutes(5);
  expect([forgotten, completions.has(101)]).toEqual([[], true]);
  forGood[0]!(true);
  await platform.clock.advance(1);
  expect([forgotten, completions.has(101)]).toEqual([[1], false]);
});

test('what an owner before left is known until its client has been here, however late it comes', async () => {
  const adopted = new Completions(
    new Turn(platform.clock),
    () => false,
    (packetId) => forgotten.push(packetId),
  );
  adopted.doubt(1, 101);
  await minutes(60);
  expect([forgotten, adopted.has(101)]).toEqual([[], true]);
  adopted.return();
  await minutes(5);
  expect([forgotten, adopted.has(101)]).toEqual([[1], false]);
});
