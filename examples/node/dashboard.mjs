// Shows which sensors are alive and what they measure. Started late, it knows the state of all at once: it is retained.
// Usage: node dashboard.mjs [SECONDS]

import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';

const url = process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883';
const [seconds = '3600'] = process.argv.slice(2);

const client = await mqtt.connectAsync(url, { protocolVersion: 5 });
client.on('message', (topic, payload, packet) => {
  const [, sensor, what] = topic.split('/');
  if (what === 'status') console.log(`${sensor} is ${payload}${packet.retain ? ' (since before we came)' : ''}`);
  else console.log(`${sensor}: ${payload} ${packet.properties?.userProperties?.unit ?? ''}`);
});
await client.subscribeAsync({ 'plant/+/status': { qos: 1 }, 'plant/+/temperature': { qos: 0 } });
console.log('watching');

await sleep(Number(seconds) * 1000);
await client.endAsync();
