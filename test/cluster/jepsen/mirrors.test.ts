import { expect, test } from 'vitest';
import { mirrorsOf } from './mirrors.js';

const queues = new Map([
  ['%2F/a%20line', { incarnation: 'i1', mirrored: true }],
  ['%2F/alone', { incarnation: 'i2' }],
]);
const record = { incarnation: 'i1', leader: 'x', epoch: 3, inSync: ['x', 'z'], replicas: ['x', 'y', 'z'] };

test('copies are told by the nodes that have them', () => {
  const members = new Map([
    ['x', { node: 'chapar@a', joined: '2026-01-01' }],
    ['y', { node: 'chapar@b', joined: '2026-01-01' }],
    ['z', { node: 'chapar@c', joined: '2026-01-01' }],
  ]);
  expect(mirrorsOf(queues, new Map([['i1', record]]), members)).toEqual([
    {
      ...{ queue: 'a line', leader: 'chapar@a', epoch: 3, inSync: ['chapar@a', 'chapar@c'] },
      replicas: ['chapar@a', 'chapar@b', 'chapar@c'],
    },
  ]);
});

test('one that lost its disk is another member, and the one before it is none of the nodes', () => {
  const members = new Map([
    ['x', { node: 'chapar@a', joined: '2026-01-01' }],
    ['y', { node: 'chapar@b', joined: '2026-01-01' }],
    ['new', { node: 'chapar@b', joined: '2026-01-02' }],
  ]);
  const [mirror] = mirrorsOf(queues, new Map([['i1', record]]), members);
  expect(mirror!.replicas).toEqual(['chapar@a', 'y', 'z']);
});
