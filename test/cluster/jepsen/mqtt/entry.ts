/** Milliseconds since 1970, a client by its name, and which of its connections. */
interface OfClient {
  readonly t: number;
  readonly c: string;
  readonly k: number;
}

export interface Opening extends OfClient {
  /** Written before the will is known to anybody. */
  readonly e: 'connecting';
  /** Name of the node. */
  readonly at: string;
  readonly will: boolean;
}

export interface Opened extends OfClient {
  readonly e: 'connected';
  readonly present: boolean;
}

export interface Ended extends OfClient {
  /** `left`: DISCONNECT was sent. `over`: the connection is; `text` says how, and whether the node ended it in answer to a DISCONNECT. */
  readonly e: 'left' | 'refused' | 'over';
  readonly text: string;
}

export interface Subscribed extends OfClient {
  readonly e: 'subscribed';
  readonly filter: string;
  readonly qos: 1 | 2;
}

interface OfMessage extends OfClient {
  /** Who published it; its numbers go upwards, over all its topics and connections. */
  readonly p: string;
  readonly n: number;
}

/** Written before PUBLISH is sent, each time. */
export interface Sent extends OfMessage {
  readonly e: 'sent';
  readonly topic: string;
  readonly qos: 1 | 2;
  readonly id: number;
  readonly dup: boolean;
}

/** PUBACK or PUBREC (`acked`), PUBCOMP, or a reason code of 0x80 or more in one of them (`nacked`). */
export interface Answered extends OfMessage {
  readonly e: 'acked' | 'completed' | 'nacked';
  readonly text: string;
}

export interface Came extends OfMessage {
  readonly e: 'came';
  readonly topic: string;
  readonly qos: number;
  readonly id: number;
  readonly dup: boolean;
  /** QoS 2, and its identifier was not released yet: the client takes it for the one that it has. */
  readonly known: boolean;
}

/** PUBACK, PUBREC or PUBCOMP was sent, or PUBREL came. For people. */
export interface Settled extends OfMessage {
  readonly e: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  readonly id: number;
}

/** A will: `n` is the number of the connection that it is of. */
export interface WillCame extends OfClient {
  readonly e: 'will';
  readonly of: string;
  readonly n: number;
  readonly dup: boolean;
}

/** What somebody who subscribed at `askedMs` was sent as the retained message. */
export interface Read extends OfMessage {
  readonly e: 'read';
  readonly at: string;
  readonly topic: string;
  readonly askedMs: number;
  /** At the end, when all was healed and everybody had their answers. */
  readonly isLast: boolean;
}

export type MqttEntry = Opening | Opened | Ended | Subscribed | Sent | Answered | Came | Settled | WillCame | Read;

/** Everything but the time, which the journal knows. */
export type Fact = MqttEntry extends infer E ? (E extends MqttEntry ? Omit<E, 't'> : never) : never;

/** What all clients of MQTT did and saw, in one order: they live in one process. */
export class Journal {
  readonly entries: MqttEntry[] = [];
  private readonly nowMs: () => number;

  constructor(nowMs: () => number = Date.now) {
    this.nowMs = nowMs;
  }

  write(fact: Fact): void {
    this.entries.push({ t: this.nowMs(), ...fact } as MqttEntry);
  }
}

/** All that is said about one message, for people. */
export function mqttHistory(p: string, n: number, entries: readonly MqttEntry[]): string[] {
  return entries
    .filter(
      (entry) => ('p' in entry ? entry.p === p : 'of' in entry && entry.of === p) && 'n' in entry && entry.n === n,
    )
    .map(({ t, e, c, k, ...rest }) => {
      return `${new Date(t).toISOString().slice(11, 23)}  ${e} by ${c} on connection ${k} ${JSON.stringify(rest)}`;
    });
}
