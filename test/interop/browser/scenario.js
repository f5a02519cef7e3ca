// Runs in the page: mqtt.js' bundle for browsers is there as `mqtt`. What came of it is posted to where the page comes from.
const parameters = new URLSearchParams(location.search);
const broker = parameters.get('broker');
const patienceMs = 20_000;

const said = { refused, everything };
const outcome = await said[parameters.get('scenario')]().catch((error) => ({ error: String(error?.stack ?? error) }));
await fetch('/outcome', { method: 'POST', body: JSON.stringify(outcome) });

/** The browser does not tell a page why, only that the connection did not come about. */
function refused() {
  return new Promise((resolve) => {
    const socket = new WebSocket(broker, 'mqtt');
    socket.onopen = () => resolve({ opened: true });
    socket.onclose = ({ code }) => resolve({ opened: false, code });
  });
}

async function everything() {
  const outcome = {};
  for (const protocolVersion of [4, 5]) outcome[protocolVersion] = await withVersion(protocolVersion);
  return outcome;
}

async function withVersion(protocolVersion) {
  const root = `browser/${protocolVersion}`;
  const talker = await open({ protocolVersion });
  await talker.client.publishAsync(`${root}/kept`, 'retained', { qos: 1, retain: true });
  const hearer = await open({ protocolVersion });
  const granted = await hearer.client.subscribeAsync(`${root}/#`, { qos: 2 });
  await hearer.hears(1);
  for (const qos of [0, 1, 2]) await talker.client.publishAsync(`${root}/${qos}`, `of QoS ${qos}`, { qos });
  // More than one frame of a WebSocket, and not text.
  const large = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  await talker.client.publishAsync(`${root}/large`, large, { qos: 1 });
  const messages = await hearer.hears(5);
  const payload = messages.find(({ topic }) => topic === `${root}/large`).payload;
  await talker.client.endAsync();
  await hearer.client.endAsync();
  return {
    granted: granted.map(({ qos }) => qos),
    messages: messages
      .filter(({ topic }) => topic !== `${root}/large`)
      .map(({ topic, payload, qos, retain }) => [topic, new TextDecoder().decode(payload), qos, retain])
      .sort(),
    large: payload.length === large.length && payload.every((byte, i) => byte === large[i]),
  };
}

async function open(options) {
  const client = await mqtt.connectAsync(broker, { reconnectPeriod: 0, connectTimeout: patienceMs, ...options });
  const messages = [];
  let wake = () => undefined;
  client.on('message', (topic, payload, { qos, retain }) => {
    messages.push({ topic, payload, qos, retain });
    wake();
  });
  /** All that came, when it is so many. */
  const hears = async (count) => {
    const timer = setTimeout(() => wake(), patienceMs);
    const untilMs = Date.now() + patienceMs;
    while (messages.length < count && Date.now() < untilMs) await new Promise((resolve) => (wake = resolve));
    clearTimeout(timer);
    if (messages.length < count) throw new Error(`${messages.length} messages came and not ${count}`);
    return messages;
  };
  return { client, hears };
}
