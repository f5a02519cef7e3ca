export { argumentsOf, tableOf } from './argument-values.js';
export * from './codec/index.js';
export { amqp091Dialect, propertiesOfJson } from './dialect.js';
export { Amqp091Door, type DoorOptions } from './door.js';
export { amqp091Form } from './message-form.js';
