import { type Message, Turn } from '@chapar/core';
import { SimWorld } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage } from '../../../../test/contract/messages.js';
import { readFrames } from './batch.js';
import { FrameCursor } from './frame-cursor.js';
import { LoopbackLane } from './loopback-lane.js';
import { AddressBook, MessageReader, writeMessage } from './message-form.js';
import { Outgoing } from './outgoing.js';

const FRAME = 7;
const MiB = 1024 * 1024;

describe('a lane that leads back to this node', () => {
  let turn: Turn;
  let out: Outgoing;
  let read: Message[];
  let isLogged: boolean;
  let drained: number;
  let batches: number;
  const book = new AddressBook();

  beforeEach(() => {
    const { clock } = new SimWorld(1).machine('10.0.0.1');
    turn = new Turn(clock);
    out = new Outgoing(turn, clock, true);
    read = [];
    isLogged = false;
    drained = batches = 0;
    const [incoming, outgoing] = LoopbackLane.pair(turn, () => undefined);
    const cursor = new FrameCursor();
    const reader = new MessageReader();
    incoming.open({
      received: (batch, carried) => {
        batches++;
        cursor.carried = carried?.messages ?? null;
        readFrames(batch, cursor, () => {
          while (!cursor.isAtEnd) read.push(reader.read(cursor, null, isLogged));
        });
      },
      drained: () => undefined,
      closed: () => undefined,
    });
    outgoing.open({ received: () => undefined, drained: () => out.drained(), closed: () => undefined });
    out.open(outgoing);
    out.onDrained = () => drained++;
  });

  function send(...messages: Message[]): void {
    for (const message of messages) {
      if (!out.isWriting(FRAME)) out.begin(FRAME);
      writeMessage(out, book, message);
    }
  }

  it('hands messages over as they are, batch by batch', () => {
    const [one, other, third] = ['a', 'b', 'c'].map((body) => makeMessage({ body }));
    send(one!, other!);
    turn.flush();
    send(third!, one!);
    turn.flush();
    turn.flush();
    expect(batches).toBe(2);
    expect(read).toEqual([one, other, third, one]);
    for (const [i, message] of [one, other, third, one].entries()) expect(read[i]).toBe(message);
  });

  it('hands a queue that logs everything an object of its own', () => {
    const message = makeMessage({ persistent: false, priority: 3, expirationMs: 1000 });
    message.keep();
    isLogged = true;
    send(message);
    turn.flush();
    turn.flush();
    const [logged] = read;
    expect(logged).not.toBe(message);
    expect({ ...logged, persistent: false, receivedAtMs: message.receivedAtMs }).toEqual({ ...message });
    expect([logged!.persistent, logged!.receivedAtMs, logged!.bytes === message.bytes]).toEqual([true, 0, true]);
  });

  it('counts what goes along: whoever sends too much of it waits until it was read', () => {
    for (let i = 0; i < 8; i++) send(makeMessage({ body: 'x'.repeat(MiB / 4) }));
    expect([out.isClogged, drained, read.length]).toEqual([true, 0, 0]);
    for (let i = 0; i < 5; i++) turn.flush();
    expect([out.isClogged, read.length]).toEqual([false, 8]);
    expect(drained).toBeGreaterThan(0);
    expect(batches).toBeGreaterThan(1);
  });
});
