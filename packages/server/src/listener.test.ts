import { connect } from 'node:net';
import { createNodePlatform } from '@chapar/platform';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServerOptions } from './config/options.js';
import { Listeners } from './listener.js';

const options = { listeners: { amqp: { host: '127.0.0.1', port: 0 } }, tls: null } as unknown as ServerOptions;
const platform = createNodePlatform({ log: { level: 'silent' } });
let listeners: Listeners;
afterEach(() => listeners.close());

/** Whether somebody is let in. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('listeners', () => {
  test('let nobody in while they are suspended, keep who is in, and are opened again at the same port', async () => {
    listeners = new Listeners(options, platform);
    const wires: { isDestroyed: boolean }[] = [];
    const doors = {
      amqp: (wire: { open(owner: object): void }) => {
        const seen = { isDestroyed: false };
        wires.push(seen);
        wire.open({
          received: () => undefined,
          drained: () => undefined,
          ended: () => undefined,
          closed: () => {
            seen.isDestroyed = true;
          },
        });
      },
    };
    await listeners.open(doors as never);
    const { port } = listeners.endpoint('amqp')!;
    const inside = connect({ host: '127.0.0.1', port });
    await new Promise((resolve) => inside.once('connect', resolve));
    await expect.poll(() => wires.length).toBe(1);
    await listeners.suspend();
    expect([await isOpen(port), listeners.endpoint('amqp'), listeners.addresses]).toEqual([false, null, []]);
    expect([inside.destroyed, wires[0]!.isDestroyed]).toEqual([false, false]);
    await listeners.open(doors as never);
    expect([await isOpen(port), listeners.endpoint('amqp')!.port]).toEqual([true, port]);
    inside.destroy();
  });
});
