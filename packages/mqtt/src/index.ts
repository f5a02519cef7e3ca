export { mqttDialect } from './dialect.js';
export { MqttDoor } from './door.js';
export { RetainedStore } from './retained/store.js';
export { type DoorSettings, defaultSettings } from './settings.js';
export { routingKeyOf, topicOf } from './topic-bridge.js';
