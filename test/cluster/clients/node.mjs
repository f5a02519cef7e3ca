// A publisher or a consumer with amqplib; see README.md.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { bodyOf, Ledger, originOf } from './ledger.mjs';

const work = JSON.parse(process.argv[2]);
const ledger = new Ledger(work.ledger);
const backoffMs = { first: 100, most: 2000 };
let isStopping = false;
let stopNow = () => {};
const stopped = new Promise((resolve) => {
  stopNow = resolve;
});
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'leave') {
    ledger.close();
    process.exit(0);
  }
  if (line !== 'stop') return;
  isStopping = true;
  stopNow();
});

let host = work.first;
let connections = 0;
let lastId = 0;
/** Numbers without a verdict, in the order in which they were sent. */
const unsettled = new Set();
let isAnnounced = false;

for (let pauseMs = backoffMs.first; !isStopping; host++) {
  const address = work.hosts[host % work.hosts.length];
  let model;
  try {
    const url = `amqp://${work.user}:${work.password}@${address}/?heartbeat=${work.heartbeat}`;
    model = await connect(url, { timeout: 3000 });
  } catch (error) {
    ledger.write({ e: 'trouble', text: `${address}: ${error.message}` });
    await Promise.race([sleep(pauseMs), stopped]);
    pauseMs = Math.min(2 * pauseMs, backoffMs.most);
    continue;
  }
  connections++;
  ledger.write({ e: 'connected', text: address });
  const lost = new Promise((resolve) => {
    model.once('close', resolve);
    model.on('error', (error) => ledger.write({ e: 'trouble', text: `${address}: ${error.message}` }));
  });
  try {
    const live = work.role === 'publisher' ? publish : consume;
    await live(model, lost);
    pauseMs = backoffMs.first;
  } catch (error) {
    ledger.write({ e: 'trouble', text: `${address}: ${error.message}` });
    await Promise.race([sleep(pauseMs), stopped]);
    pauseMs = Math.min(2 * pauseMs, backoffMs.most);
  }
  await Promise.race([model.close().catch(() => {}), sleep(2000)]);
}
ledger.close();
process.exit(0);

/** Until the connection is lost or we are told to stop and everything is confirmed. */
async function publish(model, lost) {
  const channel = await model.createConfirmChannel();
  const broken = new Promise((resolve) => {
    channel.once('close', resolve);
    channel.on('error', (error) => ledger.write({ e: 'trouble', text: error.message }));
  });
  channel.on('return', (message) => {
    ledger.write({ e: 'returned', p: work.name, id: originOf(message.content).id });
  });
  announce();
  let isOver = false;
  void Promise.race([lost, broken]).then(() => {
    isOver = true;
  });
  let unconfirmed = 0;
  const done = () => {
    unconfirmed--;
  };
  if (!work.again) unsettled.clear();
  unconfirmed += unsettled.size;
  // They stay in the set until they have a verdict: this connection may end as well.
  for (const id of [...unsettled]) send(channel, id, done);
  const beganMs = performance.now();
  let sent = 0;
  while (!isOver && !(isStopping && unconfirmed === 0)) {
    const due = work.rate === 0 ? Infinity : ((performance.now() - beganMs) / 1000) * work.rate;
    while (!isStopping && !isOver && unconfirmed < work.window && sent < due) {
      sent++;
      unconfirmed++;
      send(channel, ++lastId, done);
    }
    await Promise.race([sleep(5), lost, broken]);
  }
}

function send(channel, id, done) {
  unsettled.add(id);
  const isNobodys = work.unroutableEvery > 0 && id % work.unroutableEvery === 0;
  const q = isNobodys ? null : work.queues[id % work.queues.length];
  ledger.write({ e: 'published', p: work.name, s: connections, id, q });
  const key = q ?? `nobody.${work.name}`;
  const body = bodyOf(work.name, connections, id, key, work.bytes);
  let hasFate = false;
  const options = { persistent: true, mandatory: isNobodys };
  if (work.priorities > 0) options.priority = id % work.priorities;
  channel.publish('', key, body, options, (error) => {
    if (hasFate) throw new Error('amqplib called twice');
    hasFate = true;
    done();
    // Also called when the channel ends, with another text: then nobody knows.
    const isConfirmed = error === null || error === undefined;
    if (!isConfirmed && error.message !== 'message nacked') return;
    unsettled.delete(id);
    ledger.write({ e: isConfirmed ? 'confirmed' : 'nacked', p: work.name, id });
  });
}

/** Settles several at once, as amqplib can. */
async function consume(model, lost) {
  const channel = await model.createChannel();
  const broken = new Promise((resolve) => {
    channel.once('close', resolve);
    channel.on('error', (error) => ledger.write({ e: 'trouble', text: error.message }));
  });
  await channel.prefetch(work.prefetch);
  const connection = connections;
  let held = [];
  let timer;
  const settle = () => {
    clearTimeout(timer);
    timer = undefined;
    if (held.length === 0) return;
    if (isResting() && !isStopping) {
      timer = setTimeout(settle, 50);
      return;
    }
    try {
      channel.ack(held.at(-1).message, true);
    } catch {
      // Without a channel amqplib throws; what is held comes again.
      return;
    }
    for (const { origin } of held) {
      ledger.write({ e: 'acked', c: work.name, s: connection, p: origin.p, id: origin.id });
    }
    held = [];
  };
  let cancel = () => {};
  const cancelled = new Promise((resolve) => {
    cancel = resolve;
  });
  for (const q of work.queues) {
    await channel.consume(q, (message) => {
      if (message === null) {
        ledger.write({ e: 'cancelled', text: q });
        cancel();
        return;
      }
      const { ok, ...origin } = originOf(message.content);
      ledger.write({ e: 'delivered', c: work.name, s: connection, q, ...origin, r: message.fields.redelivered, ok });
      held.push({ message, origin });
      if (held.length >= Math.max(1, work.prefetch / 4)) settle();
      else timer ??= setTimeout(settle, 20);
    });
  }
  ledger.write({ e: 'attached', text: work.queues.join(' ') });
  announce();
  await Promise.race([lost, broken, stopped, cancelled]);
  settle();
  await Promise.race([channel.close().catch(() => {}), sleep(1000)]);
  if (!isStopping) await sleep(backoffMs.first);
}

function isResting() {
  return work.restSeconds > 0 && Math.floor(Date.now() / 1000 / work.restSeconds) % 2 === 1;
}

/** Connected, and at work, for the first time. */
function announce() {
  if (!isAnnounced) console.log('ready');
  isAnnounced = true;
}
