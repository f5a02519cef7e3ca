export { mqttDialect } from './dialect.js';
export { MqttDoor } from './door.js';
export { type DoorSettings, defaultSettings, type ListenerLimits } from './settings.js';
export { routingKeyOf, topicOf } from './topic-bridge.js';
