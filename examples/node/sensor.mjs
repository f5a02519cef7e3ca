// A temperature sensor: says that it is online (retained, so that who comes later knows), measures, and leaves a last will that says
// the opposite should it vanish. In a cluster it goes on to the next node when its own is gone. Usage: node sensor.mjs NAME [READINGS]

import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';
import { nodes } from './mqtt-nodes.mjs';

const [name = 'sensor-1', readings = '10'] = process.argv.slice(2);
const status = `plant/${name}/status`;

const client = mqtt.connect({
  ...nodes,
  clientId: name,
  protocolVersion: 5,
  // Published by the broker when nothing is heard of us: after half of the keep-alive more, or when the connection breaks. The delay is
  // the time in which we may come back, on this node or another, so that nobody is told of a short break.
  keepalive: 10,
  will: { topic: status, payload: Buffer.from('offline'), qos: 1, retain: true, properties: { willDelayInterval: 2 } },
  // A will waits no longer than its session.
  clean: false,
  properties: { sessionExpiryInterval: 60 },
});
client.on('error', ({ message }) => console.log(`${name}: ${message}`));
// Each time: the will may have been sent meanwhile.
client.on('connect', () => {
  client.publish(status, 'online', { qos: 1, retain: true });
  console.log(`${name} is online`);
});

for (let count = 0; count < Number(readings); count++) {
  const celsius = 20 + 5 * Math.sin(count / 3);
  // Waits while there is no connection, and is sent on the next one.
  const sent = client.publishAsync(`plant/${name}/temperature`, celsius.toFixed(1), {
    qos: 1,
    // A reading is worth nothing when it is old.
    properties: { messageExpiryInterval: 60, userProperties: { unit: 'C' } },
  });
  await sent.then(
    () => console.log(`${name} measured ${celsius.toFixed(1)}`),
    ({ message }) => console.log(`${name} does not know whether its reading came: ${message}`),
  );
  await sleep(200);
}

// The will stays for the unforeseen; a sensor that is switched off says so itself.
await client.publishAsync(status, 'switched off', { qos: 1, retain: true });
await client.endAsync();
