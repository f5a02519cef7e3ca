import { Queue, type QueueConsumer } from '@chapar/core';
import { Guest } from '../../../packages/cluster/src/guest/guest.js';
import { GuestConsumer } from '../../../packages/cluster/src/guest/guest-consumer.js';
import { Verdicts } from '../../../packages/cluster/src/guest/verdicts.js';
import { PublishStream } from '../../../packages/cluster/src/remote/publish-stream.js';
import { RemoteConsumer } from '../../../packages/cluster/src/remote/remote-consumer.js';
import { RemoteHome } from '../../../packages/cluster/src/remote/remote-home.js';
import { RemoteQueue } from '../../../packages/cluster/src/remote/remote-queue.js';
import { Settlements } from '../../../packages/cluster/src/remote/settlements.js';
import { Handout } from '../../../packages/core/src/queue/handout.js';
import { type Mutant, replace } from './mutant.js';

/** Faults in what nodes send each other, most of them harmless until a link breaks. */
export const mutantsBetweenNodes: readonly Mutant[] = [
  {
    name: 'publishes that are sent again are taken again',
    scenario: 'random-resets',
    seedsMax: 20,
    plant: () =>
      replace(
        Verdicts.prototype,
        'next',
        (original) =>
          function (this: never, ...args: never[]) {
            const verdicts = this as unknown as { cursor: number; taken: number };
            verdicts.taken = Math.min(verdicts.taken, verdicts.cursor - 1);
            return original.apply(this, args);
          },
      ),
  },
  {
    name: 'publishes are not sent again when a link broke',
    scenario: 'random-resets',
    seedsMax: 20,
    plant: () => replace(PublishStream.prototype, 'resend', () => () => undefined),
  },
  {
    name: 'what is sent again goes out in another order',
    scenario: 'random-resets',
    seedsMax: 20,
    plant: () =>
      replace(
        PublishStream.prototype,
        'resend',
        (original) =>
          function (this: never) {
            const stream = this as unknown as { parcels: unknown[] };
            const { parcels } = stream;
            stream.parcels = [...parcels].reverse();
            original.apply(this, []);
            stream.parcels = parcels;
          },
      ),
  },
  {
    name: 'a refusal that was lost with a link is swallowed by the next verdict',
    scenario: 'full-queue',
    seedsMax: 20,
    plant: () =>
      replace(
        Verdicts.prototype,
        'retell',
        (original) =>
          function (this: never) {
            (this as unknown as { refusals: Map<number, string> }).refusals.clear();
            original.apply(this, []);
          },
      ),
  },
  {
    name: 'a publish to another node is confirmed before it is there',
    scenario: 'random-kills',
    seedsMax: 20,
    plant: () =>
      replace(
        RemoteQueue.prototype,
        'enqueue',
        (original) =>
          function (this: never, ...args: never[]) {
            const [message, slot] = args as unknown as [never, { committed(): void } | null];
            slot?.committed();
            return original.apply(this, [message, null as never]);
          },
      ),
  },
  {
    name: 'settlements that were lost with a link are not said again',
    scenario: 'broken-links',
    seedsMax: 5,
    plant: () =>
      replace(
        Settlements.prototype,
        'resend',
        (original) =>
          function (this: never) {
            (this as unknown as { sent: unknown[] }).sent = [];
            original.apply(this, []);
          },
      ),
  },
  {
    name: 'deliveries that were lost with a link are not given back',
    scenario: 'random-resets',
    seedsMax: 20,
    plant: () =>
      replace(
        GuestConsumer.prototype,
        'reconcile',
        (original) =>
          function (this: never, ...args: never[]) {
            const { held } = this as unknown as { held: Map<number, unknown> };
            return original.apply(this, [[...held.keys()] as never, args[1]!]);
          },
      ),
  },
  {
    name: 'deliveries that were lost with a link are given back unflagged, at the end of the queue',
    scenario: 'broken-links',
    seedsMax: 5,
    plant: () =>
      replace(
        GuestConsumer.prototype,
        'reconcile',
        (original) =>
          function (this: never, ...args: never[]) {
            const { queue } = this as unknown as { queue: Queue };
            const undo = replace(
              queue,
              'leave',
              (leave) =>
                function (this: never, ...left: never[]) {
                  const [, message, outcome] = left as unknown as [number, never, string];
                  if (outcome !== 'release') return leave.apply(this, left);
                  return queue.enqueue(message, null);
                },
            );
            original.apply(this, args);
            undo();
          },
      ),
  },
  {
    name: 'a consumer that is attached again has all its credit anew',
    scenario: 'broken-links',
    seedsMax: 5,
    plant: () =>
      replace(
        GuestConsumer.prototype,
        'reconcile',
        (original) =>
          function (this: never, ...args: never[]) {
            const [claims, credit] = args as unknown as [number[], number];
            return original.apply(this, [claims as never, (credit + claims.length) as never]);
          },
      ),
  },
  {
    name: 'what is settled by being sent uses up the credit of its consumer',
    scenario: 'broken-links',
    seedsMax: 3,
    plant: () =>
      replace(
        RemoteConsumer.prototype,
        'arrived',
        (original) =>
          function (this: never, ...args: never[]) {
            const consumer = this as unknown as { credit: number; spec: { acknowledges: boolean } };
            if (!consumer.spec.acknowledges) consumer.credit--;
            return original.apply(this, args);
          },
      ),
  },
  {
    name: 'consumers stay attached when their node is gone',
    scenario: 'random-kills',
    seedsMax: 20,
    plant: () => replace(Guest.prototype, 'leave', () => () => undefined),
  },
  {
    name: 'what is on its way to a consumer that was cancelled is held for ever',
    scenario: 'random-lags',
    seedsMax: 20,
    plant: () => replace(RemoteHome.prototype, 'giveBack', () => () => undefined),
  },
  {
    name: 'a consumer whose attachment was not answered is taken for attached when a link broke',
    scenario: 'exclusive-again',
    seedsMax: 5,
    plant: () =>
      replace(
        RemoteHome.prototype,
        'linked',
        (original) =>
          function (this: never) {
            const { consumers } = this as unknown as { consumers: Map<number, { isAsking: boolean }> };
            const asking = [...consumers.values()].filter(({ isAsking }) => isAsking);
            for (const consumer of asking) consumer.isAsking = false;
            original.apply(this, []);
            for (const consumer of asking) consumer.isAsking = true;
          },
      ),
  },
  {
    name: 'consumers of another node do not hear that it is gone',
    scenario: 'home-gone',
    seedsMax: 2,
    plant: () =>
      replace(
        RemoteHome.prototype,
        'sessionEnded',
        (original) =>
          function (this: never, ...args: never[]) {
            const home = this as unknown as { consumers: Map<number, unknown> };
            const { consumers } = home;
            home.consumers = new Map();
            original.apply(this, args);
            home.consumers = consumers;
          },
      ),
  },
  {
    name: 'a message that was given back is not flagged',
    scenario: 'random-resets',
    seedsMax: 5,
    plant: () =>
      replace(
        Handout.prototype,
        'deliver',
        (original) =>
          function (this: never, ...args: never[]) {
            return original.apply(this, [args[0]!, args[1]!, args[2]!, false as never]);
          },
      ),
  },
  {
    name: 'who is not active gets messages of a single-active queue',
    scenario: 'single-active',
    seedsMax: 3,
    plant: () =>
      replace(
        Queue.prototype,
        'activate',
        () =>
          function (this: never, ...args: never[]) {
            const [consumer] = args as unknown as [QueueConsumer];
            const queue = this as unknown as { order: { join(consumer: QueueConsumer): void }; endOfTurn(): void };
            queue.order.join(consumer);
            queue.endOfTurn();
          },
      ),
  },
];
