// Every entry of the error registry is provoked here: a new entry without a case fails the compiler and the first test below.
import { type ErrorKey, errorRegistry } from '@chapar/core';
import { describe, expect, test } from 'vitest';
import { Bystander } from './bystander.js';
import { channelErrorCases } from './channel-error-cases.js';
import { connectionErrorCases } from './connection-error-cases.js';
import type { ErrorCase } from './error-case.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

const cases: { readonly [Key in ErrorKey]: ErrorCase } = { ...channelErrorCases, ...connectionErrorCases };
const keys = Object.keys(errorRegistry) as ErrorKey[];

test('every error has a case', () => {
  expect(Object.keys(cases).sort()).toEqual([...keys].sort());
  for (const key of Object.keys(channelErrorCases))
    expect([key, errorRegistry[key as ErrorKey].scope]).toEqual([key, 'channel']);
});

describe('an error closes the smallest scope, with the code of the field, and nobody else notices', () => {
  test.each(keys)('%s', async (key) => {
    const node = await SimNode.start({ limits: cases[key].limits ?? {} });
    await cases[key].prepare?.(node);
    const bystander = await Bystander.join(node);
    const before = node.door.connectionCount;
    const peer = await provoke(cases[key], node);
    if (cases[key].isSilent) expectLogged(key, node);
    else if (errorRegistry[key].scope === 'channel') await expectChannelClosed(key, peer);
    else await expectConnectionClosed(key, peer);
    if (errorRegistry[key].scope === 'connection') expect(node.door.connectionCount).toBe(before);
    if (cases[key].leavesNodeSick) await bystander.isServed();
    else await bystander.check();
    await peer.drop();
    await bystander.leave();
    expect(node.broker.connections.size).toBe(before - 1);
    if (cases[key].leavesNodeSick) await expect(node.stop()).rejects.toThrow('EIO');
    else await node.stop();
  });
});

async function provoke({ inHandshake, peer: options, provoke: act }: ErrorCase, node: SimNode): Promise<SimPeer> {
  if (inHandshake !== undefined) return inHandshake(node);
  const peer = await node.channel(options);
  await peer.open(2);
  await act!(peer, node);
  return peer;
}

async function expectChannelClosed(key: ErrorKey, peer: SimPeer): Promise<void> {
  const received = await peer.expect('channel.close');
  expect(received.channel).toBe(1);
  expectReply(key, received.method);
  peer.send(1, { name: 'channel.close-ok' });
  // The other channel goes on, and the number may be used again.
  await peer.call(2, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
  await peer.open(1);
  await peer.call(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
}

async function expectConnectionClosed(key: ErrorKey, peer: SimPeer): Promise<void> {
  const received = await peer.expect('connection.close');
  expect(received.channel).toBe(0);
  expectReply(key, received.method);
  peer.send(0, { name: 'connection.close-ok' });
  await peer.all();
  expect(peer.isEnded).toBe(true);
}

function expectReply(
  key: ErrorKey,
  reply: { replyCode: number; replyText: string; classId: number; methodId: number },
): void {
  const { code, name } = errorRegistry[key];
  const { text, method } = cases[key];
  expect(reply.replyCode).toBe(code);
  expect([reply.classId, reply.methodId]).toEqual(method);
  const prefix = `${name} - `;
  expect(reply.replyText.slice(0, prefix.length)).toBe(prefix);
  if (typeof text === 'string') expect(reply.replyText).toBe(cut(prefix + text));
  else expect(reply.replyText.slice(prefix.length)).toMatch(text);
}

/** Reply texts are short strings. */
function cut(text: string): string {
  return text.slice(0, 255);
}

function expectLogged(key: ErrorKey, node: SimNode): void {
  const prefix = `connection closed: ${errorRegistry[key].name} - `;
  const line = node.platform.log.lines.findLast(({ message }) => message.startsWith(prefix));
  expect(line?.message.slice(prefix.length)).toMatch(cases[key].text);
}
