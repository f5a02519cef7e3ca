import type { Network } from '@chapar/platform';
import type { ListenAddress } from '../config/address.js';

/**
 * Where this node can listen for peers, tried with a listener of ours: its errors say what is the matter with an address, gRPC's do not.
 * And the port has to be known before there is anything to listen for, since etcd is told it.
 */
export async function peerEndpoint(
  network: Network,
  { host, port }: ListenAddress,
): Promise<{ readonly host: string; readonly port: number }> {
  const tried = await network.listen({ host, port, tls: null }, (wire) => wire.destroy());
  await tried.close();
  const { address, port: bound } = tried.endpoint;
  return { host: host ?? address, port: bound };
}
