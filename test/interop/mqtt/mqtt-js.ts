// What the tests say with mqtt.js.
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';

/** A client that keeps what it hears. */
export interface Listener {
  readonly client: MqttClient;
  readonly heard: IPublishPacket[];
  /** Waits until so many have come; rejects after some seconds. */
  hears(count: number): Promise<IPublishPacket[]>;
}

export async function open(url: string, options: IClientOptions): Promise<Listener> {
  const old = options.protocolVersion === 3 ? { protocolId: 'MQIsdp' as const } : {};
  const client = mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: 5000, ...old, ...options });
  const heard: IPublishPacket[] = [];
  let wake = (): void => {};
  client.on('message', (_topic, _payload, packet) => {
    heard.push(packet);
    wake();
  });
  // Messages may come in the same chunk as CONNACK: who listens after `connectAsync` may have missed them.
  await connected(client);
  const hears = async (count: number) => {
    const deadline = Date.now() + 10_000;
    while (heard.length < count) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`heard ${heard.length} of ${count}: ${heard.map(({ payload }) => payload)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return heard.splice(0);
  };
  return { client, heard, hears };
}

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null) => () => {
      client.off('connect', onConnect).off('error', onError).off('close', onClose);
      if (error === null) return resolve();
      client.end(true);
      reject(error);
    };
    const onConnect = settle(null);
    const onError = (error: Error) => settle(error)();
    const onClose = settle(new Error("Couldn't connect to server"));
    client.on('connect', onConnect).on('error', onError).on('close', onClose);
  });
}
