// Shows which sensors are alive and what they measure. Started late, it knows the state of all at once: it is retained.
// Usage: node dashboard.mjs [SECONDS]

import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';
import { nodes } from './mqtt-nodes.mjs';

const [seconds = '3600'] = process.argv.slice(2);

const client = mqtt.connect({ ...nodes, protocolVersion: 5, resubscribe: false });
client.on('error', ({ message }) => console.log(message));
client.on('message', (topic, payload, packet) => {
  const [, sensor, what] = topic.split('/');
  if (what === 'status') console.log(`${sensor} is ${payload}${packet.retain ? ' (since before we came)' : ''}`);
  else console.log(`${sensor}: ${payload} ${packet.properties?.userProperties?.unit ?? ''}`);
});
// On each connection: our session is not kept.
client.on('connect', () => {
  client.subscribe({ 'plant/+/status': { qos: 1 }, 'plant/+/temperature': { qos: 0 } }, (error) => {
    if (!error) console.log('watching');
  });
});

await sleep(Number(seconds) * 1000);
await client.endAsync();
