export * from './etcd/etcd.js';
export * from './etcd/etcd-client.js';
export * from './etcd/sim-etcd.js';
export * from './etcd/sim-keys.js';
export * from './metadata.js';
export * from './mirror.js';
export * from './session.js';
export * from './writer.js';
