// A temperature sensor: says that it is online (retained, so that who comes later knows), measures, and leaves a last will that says
// the opposite should it vanish. Usage: node sensor.mjs NAME [READINGS]

import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';

const url = process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883';
const [name = 'sensor-1', readings = '10'] = process.argv.slice(2);
const status = `plant/${name}/status`;

const client = await mqtt.connectAsync(url, {
  clientId: name,
  protocolVersion: 5,
  // Published by the broker when nothing is heard of us: after half of the keep-alive more, or at once when the connection breaks.
  keepalive: 10,
  will: { topic: status, payload: Buffer.from('offline'), qos: 1, retain: true },
});
await client.publishAsync(status, 'online', { qos: 1, retain: true });
console.log(`${name} is online`);

for (let count = 0; count < Number(readings); count++) {
  const celsius = 20 + 5 * Math.sin(count / 3);
  await client.publishAsync(`plant/${name}/temperature`, celsius.toFixed(1), {
    qos: 1,
    // A reading is worth nothing when it is old.
    properties: { messageExpiryInterval: 60, userProperties: { unit: 'C' } },
  });
  console.log(`${name} measured ${celsius.toFixed(1)}`);
  await sleep(200);
}

// The will stays for the unforeseen; a sensor that is switched off says so itself.
await client.publishAsync(status, 'switched off', { qos: 1, retain: true });
await client.endAsync();
