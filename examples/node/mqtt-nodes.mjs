// Where the MQTT examples find the broker: `MQTT_URL`, one address or, of a cluster, those of several nodes with commas between them.
const urls = (process.env.MQTT_URL ?? 'mqtt://127.0.0.1:1883').split(',').map((text) => new URL(text));

/** Options of mqtt.js. When a connection ends, or none can be made, it goes on to the next of `servers`, and after the last to the first. */
export const nodes = {
  servers: urls.map(({ protocol, hostname, port }) => ({
    protocol: protocol.slice(0, -1),
    host: hostname,
    port: Number(port || 1883),
  })),
  ...(urls[0].username === '' ? {} : { username: urls[0].username, password: urls[0].password }),
  reconnectPeriod: 500,
};
