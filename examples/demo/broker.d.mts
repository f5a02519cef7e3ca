/** A running broker, started by us or not. */
export interface Broker {
  /** Without a path for the virtual host "/". */
  readonly url: string;
  /** With user and password; null when there is none that we know of. */
  readonly managementUrl: string | null;
  /** Where MQTT is spoken, over TCP and over WebSocket; null or absent: nowhere. */
  readonly mqttUrl?: string | null;
  readonly mqttWebSocketUrl?: string | null;
  readonly vhost: string;
  /** Null for a broker that we did not start. */
  readonly dataDir: string | null;
  /** Null while it is down, and for a broker that we did not start. */
  readonly pid: number | null;
  /** Whether kill9() and restart() can work. */
  readonly canRestart: boolean;
  /** SIGKILL, and waits until it is gone. Start it again with restart(). */
  kill9(): Promise<void>;
  /** A clean stop (when it runs) and a start on the same ports and data. Rejects when the stop did not exit 0. */
  restart(): Promise<void>;
  /** A clean stop; what we made for it is deleted. Rejects when the broker did not exit 0. */
  stop(): Promise<void>;
  /** Makes a user who may do everything in the virtual host. Needs managementUrl. */
  addUser(name: string, password: string): Promise<void>;
}

export interface StartOptions {
  environment?: Record<string, string>;
  readySeconds?: number;
  /** More options for `chapar start`. */
  options?: readonly string[];
  /** Beside AMQP and management. */
  readonly protocols?: readonly string[];
}

export interface UseOptions {
  url: string;
  managementUrl?: string | null;
  kill9Command?: string | undefined;
  restartCommand?: string | undefined;
  ownVhost?: boolean;
}

export function startBroker(options?: StartOptions): Promise<Broker>;
export function useBroker(options: UseOptions): Promise<Broker>;
