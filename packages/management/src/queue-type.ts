import { badRequest } from './problem.js';

/** The field's exports write `undefined` for none. */
export function knownQueueType(type: string): string {
  if (type === 'undefined' || type === '') return 'classic';
  if (type === 'classic' || type === 'quorum') return type;
  throw badRequest(`default_queue_type must be classic or quorum, got '${type}'`);
}
