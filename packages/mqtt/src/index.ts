export { mqttDialect } from './dialect.js';
export { MqttDoor } from './door.js';
export { RetainedStore } from './retained/store.js';
export { type DoorSettings, defaultSettings, type ListenerLimits } from './settings.js';
export { routingKeyOf, topicOf } from './topic-bridge.js';
