// mqtt.js with a list of nodes (`servers`); what it is told and tells: ../../cluster/clients/README.md.
import { createInterface } from 'node:readline';
import mqtt from 'mqtt';
import { Ledger } from '../../cluster/clients/ledger.mjs';

const work = JSON.parse(process.argv[2]);
const ledger = new Ledger(work.ledger, 1);
const servers = work.hosts.map((address) => {
  const [host, port] = address.split(':');
  return { host, port: Number(port), protocol: 'mqtt' };
});

let lastId = 0;
let unconfirmed = 0;
let isStopping = false;
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'go') setInterval(publish, 1000 / work.rate);
  if (line === 'stop') isStopping = true;
  if (line === 'leave') {
    ledger.close();
    process.exit(0);
  }
});

function open(role) {
  const client = mqtt.connect({
    ...{ servers, clientId: `${work.name}-${role}`, username: 'guest', password: 'guest' },
    ...{ protocolVersion: work.version, clean: false, keepalive: 30, reconnectPeriod: 200, connectTimeout: 10_000 },
    ...(work.version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {}),
  });
  client.on('connect', ({ sessionPresent }) => {
    ledger.write({
      e: 'connected',
      role,
      present: sessionPresent,
      text: `${client.options.host}:${client.options.port}`,
    });
  });
  client.on('error', (error) => ledger.write({ e: 'trouble', role, text: error.message }));
  client.on('close', () => ledger.write({ e: 'trouble', role, text: 'closed' }));
  client.on('disconnect', ({ reasonCode }) => ledger.write({ e: 'told', role, reason: reasonCode }));
  return client;
}

const subscriber = open('sub');
subscriber.on('message', (_topic, payload, { qos, dup }) => {
  const [p, id, sent] = payload.toString().split(' ');
  ledger.write({ e: 'heard', c: work.name, p, id: Number(id), sent: Number(sent), qos, dup });
});
const publisher = open('pub');
await new Promise((resolve) => publisher.once('connect', resolve));
while (!(await subscribed())) ledger.write({ e: 'trouble', role: 'sub', text: 'the subscription is tried again' });
console.log('ready');

function publish() {
  if (isStopping && unconfirmed === 0) {
    ledger.write({ e: 'done' });
    isStopping = false;
    unconfirmed = Infinity;
  }
  if (isStopping || unconfirmed >= work.window) return;
  unconfirmed++;
  const id = ++lastId;
  const sent = 1 + (id % 2);
  ledger.write({ e: 'published', p: work.name, id, sent });
  publisher.publish(`failover/${sent}/${work.name}`, `${work.name} ${id} ${sent}`, { qos: sent }, (error) => {
    unconfirmed--;
    // It gives up, on a connection that ends, what it has not sent since the one before: nobody knows then.
    if (error) ledger.write({ e: 'trouble', role: 'pub', text: `${id}: ${error.message}` });
    else ledger.write({ e: 'confirmed', p: work.name, id });
  });
}

function subscribed() {
  return subscriber.subscribeAsync({ 'failover/1/#': { qos: 1 }, 'failover/2/#': { qos: 2 } }).then(
    () => true,
    () => false,
  );
}
