// The field's MQTT clients beside mqtt.js: paho in Python and Java, autopaho in Go, rumqttc in Rust, and Mosquitto's command-line tools.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../examples/demo/broker.mjs';
import { skipUnless } from '../support/skip.js';
import { run, runWell, versionOf } from './command.js';
import { javaProgram } from './java-program.js';
import { mqttPython } from './python-environment.js';

const folder = (name: string) => fileURLToPath(new URL(`mqtt/${name}`, import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/chapar-mqtt', import.meta.url));
const timeout = 600_000;

let broker: Broker;
const port = () => new URL(broker.mqttUrl!).port;
const environment = () => ({ MQTT_PORT: port() });
beforeAll(async () => {
  mkdirSync(cache, { recursive: true });
  broker = await startBroker({ protocols: ['mqtt'] });
}, timeout);
afterAll(() => broker?.stop(), timeout);

const python = await mqttPython();
test.skipIf(skipUnless(python.missing === null, python.missing ?? ''))('paho, Python', { timeout }, async () => {
  const output = await runWell([python.python!, 'paho_scenarios.py'], {
    cwd: folder('python'),
    environment: environment(),
    seconds: 120,
  });
  expect(output.trim()).toBe('ok');
});

const java = await javaProgram('mqtt/java', 'chapar-java-mqtt');
test.skipIf(skipUnless(java.missing === null, java.missing ?? ''))('paho, Java', { timeout }, async () => {
  const output = await runWell(java.command!, { environment: environment(), seconds: 120 });
  expect(output).toMatch(/^ok$/m);
});

describe.skipIf(skipUnless(versionOf('go', 'version'), 'go is not installed'))('autopaho, Go', () => {
  const program = `${cache}/autopaho`;
  beforeAll(
    () => runWell(['go', 'build', '-o', program, '.'], { cwd: folder('go'), seconds: 300 }).then(() => undefined),
    timeout,
  );

  test('every QoS', { timeout }, async () => {
    expect((await runWell([program], { environment: environment() })).trim()).toBe('ok');
  });

  test('comes back by itself, to its session', { timeout }, async () => {
    const child = spawn(program, ['restart'], {
      env: { ...process.env, ...environment() },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const ready = new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('ready')) resolve();
      });
    });
    await Promise.race([ready, ended]);
    await broker.kill9();
    await broker.restart();
    await ended;
    expect(output).toBe('ready\nok\n');
  });
});

const noCargo = skipUnless(versionOf('cargo'), 'cargo (Rust) is not installed');
test.skipIf(noCargo)('rumqttc, Rust', { timeout }, async () => {
  const where = ['--manifest-path', `${folder('rust')}/Cargo.toml`, '--target-dir', `${cache}/rust`];
  await runWell(['cargo', 'build', '--locked', '--quiet', ...where], { seconds: 540 });
  expect((await runWell([`${cache}/rust/debug/interop-mqtt`], { environment: environment() })).trim()).toBe('ok');
});

const noMosquitto = skipUnless(existsSync('/usr/bin/mosquitto_pub'), 'mosquitto-clients is not installed');
describe.skipIf(noMosquitto)("Mosquitto's tools", () => {
  const tool = (name: string, ...args: string[]) =>
    runWell([`mosquitto_${name}`, '-p', port(), '-h', '127.0.0.1', ...args], { seconds: 30 });

  test.each(['mqttv31', 'mqttv311', 'mqttv5'])('%s: retained, wildcards, every QoS', { timeout }, async (version) => {
    for (const qos of ['0', '1', '2']) {
      await tool('pub', '-V', version, '-t', `tools/${version}/${qos}`, '-m', `m${qos}`, '-q', qos, '-r');
    }
    const heard = await tool('sub', '-V', version, '-t', `tools/${version}/#`, '-q', '2', '-C', '3', '-F', '%t %p %r');
    const lines = heard.trim().split('\n').sort();
    expect(lines).toEqual(['0', '1', '2'].map((qos) => `tools/${version}/${qos} m${qos} 1`));
  });

  test('$SYS, as dashboards read it', { timeout }, async () => {
    expect(await tool('sub', '-t', '$SYS/broker/version', '-C', '1')).toMatch(/^chapar version/);
  });

  test('request and response', { timeout }, async () => {
    const server = tool('sub', '-V', 'mqttv5', '-t', 'ask', '-C', '1', '-F', '%R');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const client = tool('rr', '-V', 'mqttv5', '-t', 'ask', '-e', 'answer', '-m', 'question', '-W', '20');
    expect((await server).trim()).toBe('answer');
    await tool('pub', '-t', 'answer', '-m', '42');
    expect((await client).trim()).toBe('42');
  });
});

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

const noDaemon = skipUnless(
  existsSync('/usr/sbin/mosquitto') && existsSync('/usr/bin/mosquitto_pub'),
  'mosquitto is not installed',
);
test.skipIf(noDaemon)('a Mosquitto that is a bridge: both ways, once, without an end of it', { timeout }, async () => {
  const far = await freePort();
  const file = `${cache}/bridge.conf`;
  writeFileSync(
    file,
    `listener ${far} 127.0.0.1
allow_anonymous true
connection chapar
address 127.0.0.1:${port()}
remote_clientid mosquitto-bridge
topic bridged/# both 1
restart_timeout 1
`,
  );
  const daemon = spawn('/usr/sbin/mosquitto', ['-c', file], { stdio: 'ignore' });
  const gone = new Promise((resolve) => daemon.once('close', resolve));
  try {
    const at = (where: string | number) => ['-h', '127.0.0.1', '-p', String(where)];
    const state = ['-t', '$SYS/broker/connection/mosquitto-bridge/state'];
    const connected = await runWell(['mosquitto_sub', ...at(port()), ...state, '-C', '1', '-W', '30'], { seconds: 40 });
    expect(connected.trim()).toBe('1');
    const listen = async (where: string | number) => {
      const { output } = await run(['mosquitto_sub', ...at(where), '-t', 'bridged/#', '-W', '8', '-F', '%t %p']);
      return output.split('\n').filter((line) => line.startsWith('bridged/'));
    };
    const heard = Promise.all([listen(port()), listen(far)]);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const publish = (where: string | number, topic: string) =>
      runWell(['mosquitto_pub', ...at(where), '-t', topic, '-m', 'm', '-q', '1'], { seconds: 30 });
    await publish(far, 'bridged/from-mosquitto');
    await publish(port(), 'bridged/from-chapar');
    for (const each of await heard) expect(each.sort()).toEqual(['bridged/from-chapar m', 'bridged/from-mosquitto m']);
  } finally {
    daemon.kill();
    await gone;
  }
});
