export * from './default-user.js';
export { algorithms, fieldAlgorithm, scryptAlgorithm } from './hash.js';
export * from './internal.js';
