import { GrpcTransport, SimPeers } from '@chapar/cluster';
import { createNodePlatform, createSimPlatform } from '@chapar/platform';
import { laneContract } from './lane.contract.js';

laneContract('a lane of the simulation', async () => {
  const platform = createSimPlatform(3);
  const peers = new SimPeers(platform.clock.scheduler);
  return {
    clock: platform.clock,
    opener: peers.transport('a'),
    acceptor: peers.transport('b'),
    host: 'b',
    port: 25672,
    address: (port) => `b:${port}`,
    settle: (promise) => platform.settle(promise),
    close: async () => undefined,
  };
});

laneContract('a lane over gRPC', async () => {
  const { clock } = createNodePlatform({ log: { level: 'silent' } });
  const [opener, acceptor] = [new GrpcTransport(null), new GrpcTransport(null)];
  const listeners: { close(): Promise<void> }[] = [];
  const listen = acceptor.listen.bind(acceptor);
  acceptor.listen = async (...args) => {
    const listener = await listen(...args);
    listeners.push(listener);
    return listener;
  };
  return {
    clock,
    opener,
    acceptor,
    host: '127.0.0.1',
    port: 0,
    address: (port) => `127.0.0.1:${port}`,
    settle: (promise) => promise,
    close: async () => {
      opener.close();
      for (const listener of listeners) await listener.close();
    },
  };
});
