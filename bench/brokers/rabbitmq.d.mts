export class RabbitMQ {
  constructor(options?: { plugins?: readonly string[] });
  /** Of AMQP, on 127.0.0.1; while it runs. */
  readonly port: number;
  /** Of the management API, on 127.0.0.1; with the plug-in `rabbitmq_management`, while it runs. */
  readonly managementPort?: number;
  /** Of MQTT, on 127.0.0.1; with the plug-in `rabbitmq_mqtt`, while it runs. */
  readonly mqttPort?: number;
  readonly name: string;
  static installed(): boolean;
  describe(): string;
  start(): Promise<void>;
  /** Stops it and removes its directories. */
  stop(): Promise<void>;
  dispose(): void;
}
