/** What the scenarios ask of a client library: one connection and one channel, in confirm mode. */
export interface Client {
  declareQueue(name: string, options?: QueueOptions): Promise<DeclaredQueue>;
  deleteQueue(name: string): Promise<void>;
  declareExchange(name: string, type: string, options?: { durable?: boolean }): Promise<void>;
  deleteExchange(name: string): Promise<void>;
  bind(queue: string, exchange: string, key: string, table?: Table): Promise<void>;
  unbind(queue: string, exchange: string, key: string): Promise<void>;
  prefetch(count: number): Promise<void>;
  /** Resolves when the broker has confirmed it, rejects when the broker closes the channel over it. */
  publish(message: Outgoing): Promise<void>;
  onReturn(listener: (code: number, text: string, body: Buffer) => void): void;
  consume(queue: string, options: ConsumeOptions, listener: (message: Received) => void): Promise<string>;
  cancel(consumerTag: string): Promise<void>;
  get(queue: string): Promise<Received | null>;
  /** Another channel of the same connection. */
  channel(): Promise<Client>;
  close(): Promise<void>;
  /** The connection breaks without any goodbye. */
  drop(): void;
}

export interface QueueOptions {
  durable?: boolean;
  exclusive?: boolean;
  autoDelete?: boolean;
  passive?: boolean;
}

export interface DeclaredQueue {
  name: string;
  messages: number;
  consumers: number;
}

export interface ConsumeOptions {
  noAck?: boolean;
  onCancel?: () => void;
}

export type Table = Record<string, unknown>;

export interface Properties {
  headers?: Table | undefined;
  contentType?: string | undefined;
  persistent?: boolean | undefined;
  correlationId?: string | undefined;
  replyTo?: string | undefined;
  userId?: string | undefined;
}

export interface Outgoing extends Properties {
  exchange?: string;
  key: string;
  body: string | Buffer;
  mandatory?: boolean;
}

export interface Received extends Properties {
  key: string;
  body: Buffer;
  redelivered: boolean;
  ack(): void;
  requeue(): void;
}

export interface Library {
  name: string;
  connect(url: string): Promise<Client>;
}

/** Leaves out what is undefined, as the libraries distinguish "not given" from "given as undefined". */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
