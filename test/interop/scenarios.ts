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

export type ScenarioName = (typeof scenarios)[number];

export const needs: Partial<Record<ScenarioName, Needs>> = { 'chat-rooms': { needsUsers: true } };

/**
 * Surviving is told in phases, so that one restart serves all clients: `leave` publishes, `check` finds and leaves again.
 * Between them the test restarts the broker, or kills it.
 */
export const survival = { leave: 'survival-leave', check: 'survival-check' } as const;
