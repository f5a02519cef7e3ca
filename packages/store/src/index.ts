export * from './format-error.js';
export * from './open.js';
