export * from './clock.js';
export * from './disk.js';
export * from './log.js';
export * from './network.js';
export * from './pattern.js';
export * from './platform.js';
export * from './random.js';
