import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { GrpcTransport } from './grpc-transport.js';
import type { Lane } from './lane.js';

/** What came on a lane, or why it closed. */
function listen(lane: Lane): { readonly said: string[] } {
  const said: string[] = [];
  lane.open({
    received: (batch) => said.push(batch.toString()),
    drained: () => {},
    closed: (reason) => said.push(`closed: ${reason}`),
  });
  return { said };
}

async function until(isSo: () => boolean, ms = 5000): Promise<void> {
  for (const deadline = Date.now() + ms; !isSo(); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > deadline) throw new Error('not in time');
  }
}

it('leaves a connection on which nobody ever said a word, when its lane is given up', async () => {
  // As one whose machine vanished after the kernel had taken the connection: it stays open and silent for ever.
  const silent = createServer();
  const taken: Socket[] = [];
  silent.on('connection', (socket) => taken.push(socket.pause()));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const address = `127.0.0.1:${port}`;
  const opener = new GrpcTransport(null);
  const first = opener.connect(address, 'control');
  const heard = listen(first);
  first.send(Buffer.from('hello'));
  await until(() => taken.length > 0);
  first.close('the peer did not greet in time');
  expect(heard.said).toEqual(['closed: the peer did not greet in time']);
  silent.close();

  const acceptor = new GrpcTransport(null);
  const listener = await acceptor.listen('127.0.0.1', port, (_kind, lane) => {
    lane.open({ received: (batch) => lane.send(batch), drained: () => {}, closed: () => {} });
  });
  const second = opener.connect(address, 'control');
  const answered = listen(second);
  second.send(Buffer.from('hello again'));
  await until(() => answered.said.length > 0);
  expect(answered.said).toEqual(['hello again']);
  opener.close();
  await listener.close();
  for (const socket of taken) socket.destroy();
});

it('tells whoever accepted a lane when a batch has left it: its bytes may change then', async () => {
  const acceptor = new GrpcTransport(null);
  const count = 20;
  let left = 0;
  const listener = await acceptor.listen('127.0.0.1', 0, (_kind, lane) => {
    lane.open({ received: () => {}, drained: () => {}, closed: () => {} });
    for (let i = 0; i < count; i++) {
      const batch = Buffer.alloc(300_000, i);
      let isWithin = true;
      lane.send(batch, null, () => {
        left += isWithin ? Number.NaN : 1;
        batch.fill(0xff);
      });
      isWithin = false;
    }
  });
  const opener = new GrpcTransport(null);
  const lane = opener.connect(`127.0.0.1:${listener.port}`, 'replication');
  const heard: Buffer[] = [];
  lane.open({ received: (batch) => heard.push(batch), drained: () => {}, closed: () => {} });
  // Nothing is told of what the opener sends: it may be sent again.
  const mine = Buffer.from('mine');
  lane.send(mine, null, () => mine.fill(0));
  await until(() => heard.length === count && left === count);
  for (const [i, batch] of heard.entries()) expect(batch.equals(Buffer.alloc(300_000, i))).toBe(true);
  expect(mine.toString()).toBe('mine');
  opener.close();
  await listener.close();
});
