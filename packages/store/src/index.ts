export * from './format-error.js';
export { readIdentity, renewIdentity } from './identity.js';
export * from './inspection.js';
export { METADATA_DEFAULTS, type MetadataSettings } from './metadata.js';
export * from './open.js';
export { WAL_DEFAULTS, type WalGauges, type WalSettings } from './wal.js';
