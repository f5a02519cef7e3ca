export * from './address.js';
export * from './message.js';
export * from './ports.js';
