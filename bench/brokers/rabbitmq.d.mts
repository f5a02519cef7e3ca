export class RabbitMQ {
  constructor(options?: { plugins?: readonly string[] });
  /** Of AMQP, on 127.0.0.1; while it runs. */
  readonly port: number;
  readonly name: string;
  static installed(): boolean;
  describe(): string;
  start(): Promise<void>;
  /** Stops it and removes its directories. */
  stop(): Promise<void>;
  dispose(): void;
}
