/** Milliseconds since 1970, for people. */
interface Stamped {
  readonly t: number;
}

/** Of a program's two clients: each has a session that is kept. */
export type Role = 'pub' | 'sub';

/** Numbers of one publisher are given once, upwards, over all its connections. Written before it is sent. */
export interface MqttPublished extends Stamped {
  readonly e: 'published';
  readonly p: string;
  readonly id: number;
  /** With this QoS. */
  readonly sent: 1 | 2;
}

/** PUBACK or PUBCOMP came. */
export interface MqttConfirmed extends Stamped {
  readonly e: 'confirmed';
  readonly p: string;
  readonly id: number;
}

/** The library gave a message to the program `c`. */
export interface MqttHeard extends Stamped {
  readonly e: 'heard';
  readonly c: string;
  readonly p: string;
  readonly id: number;
  readonly sent: 1 | 2;
  /** With which it came. */
  readonly qos: number;
  readonly dup: boolean;
}

export interface MqttConnected extends Stamped {
  readonly e: 'connected';
  readonly role: Role;
  /** Session present, as CONNACK says; null: the library does not tell. */
  readonly present: boolean | null;
  /** Which node, where the library says so. */
  readonly text: string;
}

/** What a client lived through: `told` DISCONNECT with a reason; `done`: all that the program published is confirmed. */
export type MqttTrouble = Stamped &
  (
    | { readonly e: 'told'; readonly role: Role; readonly reason: number }
    | { readonly e: 'trouble'; readonly role: Role; readonly text: string }
    | { readonly e: 'done' }
  );

/** A line of the ledger of an MQTT program. */
export type MqttEntry = MqttPublished | MqttConfirmed | MqttHeard | MqttConnected | MqttTrouble;
