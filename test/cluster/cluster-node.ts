import {
  type Etcd,
  EtcdClient,
  type EtcdClientOptions,
  EtcdMetadata,
  Mirror,
  Registration,
  Writer,
} from '@chapar/cluster';
import { createNodePlatform } from '@chapar/platform';

const platform = createNodePlatform({ log: { level: 'silent' } });

export interface MetadataNode {
  readonly etcd: Etcd;
  readonly mirror: Mirror;
  readonly registration: Registration;
  readonly metadata: EtcdMetadata;
  close(): Promise<void>;
}

/** The part of a node that talks to etcd, registered and ready to write. */
export async function startMetadataNode(
  name: string,
  prefix: string,
  options: Partial<EtcdClientOptions> & Pick<EtcdClientOptions, 'endpoints'>,
  leaseSeconds = 10,
): Promise<MetadataNode> {
  const { clock, log } = platform;
  const etcd = new EtcdClient({ tls: null, auth: null, clock, log, ...options });
  const mirror = new Mirror(etcd, { clock, log }, prefix);
  await mirror.open();
  const writer = new Writer(etcd, { clock, log }, prefix, mirror);
  const record = { dataId: name, boot: platform.random.uuid(), address: 'localhost:1', versions: {} };
  const registration = new Registration({ etcd, mirror, clock, log, prefix, node: name, record, leaseSeconds });
  const metadata = new EtcdMetadata(mirror, writer);
  await new Promise<void>((resolve) => {
    registration.onBegan = (session) => {
      writer.use(session);
      resolve();
    };
    registration.onEnded = () => writer.use(null);
    registration.start();
  });
  const close = async () => {
    await registration.close();
    await metadata.close();
    etcd.close();
  };
  return { etcd, mirror, registration, metadata, close };
}
