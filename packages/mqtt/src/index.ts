export { mqttDialect } from './dialect.js';
export { MqttDoor } from './door.js';
export { type DoorSettings, defaultSettings } from './settings.js';
export { routingKeyOf, topicOf } from './topic-bridge.js';
