import { SimNode } from '../protocol/sim-node.js';
import type { Line, Place, Stage } from './place.js';

/** A new node on a simulated platform for every session: `wait` takes no time. */
export const chapar: Stage = {
  async play(session) {
    const node = await SimNode.start();
    try {
      await session(placeOf(node));
    } finally {
      await node.stop();
    }
  },
  async stop() {},
};

function placeOf(node: SimNode): Place {
  return {
    quietPauses: 1,
    pausesMax: 3,
    pause: () => node.idle(),
    wait: (ms) => node.advance(ms),
    async policy({ kind, name, pattern, definition, priority, applyTo }) {
      const { records } = node.broker;
      const record = { pattern, definition, priority, 'apply-to': applyTo };
      if (definition === null) await node.settle(records.delete(kind, '/', name));
      else await node.settle(records.put(kind, ['/', name], record));
    },
    async dial(): Promise<Line> {
      const peer = await node.peer();
      return {
        send: (channel, method, content) => peer.send(channel, method, content),
        take: () => peer.all(),
        hangUp: () => peer.drop(),
      };
    },
  };
}
