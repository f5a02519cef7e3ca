// node bench/delayed.mjs [messages] [bytes]: what messages cost that wait in an exchange of type x-delayed-message. Starts a broker of its
// own on the sources as they are built, with its data in the directory for temporary files.
import { readFileSync } from 'node:fs';
import { connect } from 'amqplib';
import { startBroker } from '../examples/demo/broker.mjs';

const [messages = 1_000_000, bytes = 1024] = process.argv.slice(2).map(Number);
const hourMs = 3_600_000;
const window = 5_000;

const broker = await startBroker();
try {
  const channel = await (await connect(broker.url)).createConfirmChannel();
  const args = { 'x-delayed-type': 'fanout' };
  await channel.assertExchange('later', 'x-delayed-message', { durable: true, arguments: args });
  // What the first messages cost once and for all is not theirs.
  await publish(channel, 20_000);
  const headers = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` };
  const { origin } = new URL(broker.managementUrl);
  await fetch(`${origin}/api/exchanges/%2F/later/delayed`, { method: 'DELETE', headers });
  const before = residentMiB();
  const startMs = performance.now();
  await publish(channel, messages);
  const seconds = (performance.now() - startMs) / 1000;
  const after = residentMiB();
  console.log(`${messages} messages of ${bytes} B, due in one to two hours, confirmed in ${seconds.toFixed(1)} s`);
  console.log(`resident: ${before.toFixed(0)} MiB before, ${after.toFixed(0)} MiB after`);
  console.log(`a message: ${(((after - before) * 2 ** 20) / messages).toFixed(1)} B`);
} finally {
  await broker.stop();
}
process.exit(0);

async function publish(channel, count) {
  const body = Buffer.alloc(bytes, 'x');
  for (let i = 1; i <= count; i++) {
    const delayMs = hourMs + Math.floor(Math.random() * hourMs);
    channel.publish('later', '', body, { persistent: true, headers: { 'x-delay': delayMs } });
    if (i % window === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

function residentMiB() {
  const status = readFileSync(`/proc/${broker.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
}
