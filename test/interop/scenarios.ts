import type { Needs } from './broker.js';

/** What every client library must be able to do; each language plays the same scenarios under these names. */
export const scenarios = [
  'tasks-sender-first',
  'tasks-receiver-first',
  'share-evenly',
  'log-fanout',
  'topic-logs',
  'headers-any-all',
  'rpc-reply-queue',
  'rpc-direct-reply-to',
  'chat-rooms',
  'chat-for-all',
  'image-upload',
  'killed-consumer',
  'mandatory-return',
  'publisher-confirms',
  'requeue-in-place',
  'channel-error',
  'cancel-notify',
  'header-types',
] as const;

/** What queues can be told, and the exchanges beyond the usual four. */
export const queueScenarios = [
  'dead-letters',
  'expiry',
  'queue-expiry',
  'limits',
  'priorities',
  'single-active-consumer',
  'delivery-limit',
  'delayed-messages',
  'consistent-hash',
  'transactions',
] as const;

export type QueueScenarioName = (typeof queueScenarios)[number];

/** Those that Chapar cannot play yet: they run and must fail, so that the list shrinks as soon as it can. */
export const comesLater: Partial<Record<QueueScenarioName, string>> = {};

export type ScenarioName = (typeof scenarios)[number];

export const needs: Partial<Record<ScenarioName, Needs>> = { 'chat-rooms': { needsUsers: true } };

/**
 * Surviving is told in phases, so that one restart serves all clients: `leave` publishes, `check` finds and leaves again.
 * Between them the test restarts the broker, or kills it.
 */
export const survival = { leave: 'survival-leave', check: 'survival-check' } as const;
