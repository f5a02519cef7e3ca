import type { Client, Library } from '../interop/node/client.js';
import type { BrokerNode } from './broker-node.js';

/**
 * The same library, but queues with names are declared by another connection at another node, so that everything its user does is done
 * from afar. Queues of one connection, and those that the server names, cannot be.
 */
export function declaredElsewhere(library: Library, nodes: readonly BrokerNode[]): Library {
  let places = 0;
  return {
    name: `${library.name}-elsewhere`,
    async connect(url) {
      const place = places++;
      const [here, there] = [nodes[place % nodes.length]!, nodes[(place + 1) % nodes.length]!];
      const atNode = (node: BrokerNode) => {
        const address = new URL(url);
        address.host = node.hostPort;
        return address.href;
      };
      const far = await library.connect(atNode(there));
      return declaredBy(far, await library.connect(atNode(here)));
    },
  };
}

function declaredBy(far: Client, near: Client): Client {
  return {
    ...near,
    declareQueue(name, options = {}) {
      const isOthers = name !== '' && options.exclusive !== true && options.passive !== true;
      return (isOthers ? far : near).declareQueue(name, options);
    },
    // Refused declares close channels, and the scenarios want to see that on their own.
    channel: () => near.channel(),
    async close() {
      await far.close().catch(() => {});
      await near.close();
    },
  };
}
