import type { MqttEntry, MqttHeard, MqttPublished } from './mqtt-entry.js';

export interface MqttCounts {
  published: number;
  confirmed: number;
  heard: number;
  /** Of QoS 1, more often than once: that is allowed. */
  again: number;
  connections: number;
}

export interface MqttVerdict {
  /** In words; of each kind the first few. */
  readonly faults: readonly string[];
  readonly counts: MqttCounts;
}

interface Message {
  readonly published: MqttPublished;
  isConfirmed: boolean;
}

/** Of each kind: one fault often brings thousands like it. */
const shownMax = 5;

/**
 * Holds the ledgers of programs that each subscribe to everything against what MQTT promises: what is confirmed is heard by everybody,
 * with QoS 2 once, with QoS 1 at least once; in the order of its publisher, of QoS 1 when it is heard for the first time
 * ([MQTT-4.6.0-2] to [MQTT-4.6.0-4]); and whoever returns finds the session. To be asked when everybody has what is owed, or too late.
 * `atLeastOnce`: programs that hear QoS 2 as QoS 1.
 */
export function judgeMqtt(
  ledgers: ReadonlyMap<string, readonly MqttEntry[]>,
  atLeastOnce: readonly string[] = [],
): MqttVerdict {
  const judge = new MqttJudge();
  for (const ledger of ledgers.values()) judge.readPublisher(ledger);
  for (const [name, ledger] of ledgers) judge.readSubscriber(name, ledger, atLeastOnce.includes(name));
  return judge.verdict();
}

/** How many confirmed messages each program lacks still, those that lack none left out. */
export function missing(ledgers: ReadonlyMap<string, readonly MqttEntry[]>): Record<string, number> {
  const owed = new Set<string>();
  for (const ledger of ledgers.values())
    for (const entry of ledger) if (entry.e === 'confirmed') owed.add(keyOf(entry));
  const lacks: Record<string, number> = {};
  for (const [name, ledger] of ledgers) {
    const left = new Set(owed);
    for (const entry of ledger) if (entry.e === 'heard') left.delete(keyOf(entry));
    if (left.size > 0) lacks[name] = left.size;
  }
  return lacks;
}

class MqttJudge {
  private readonly messages = new Map<string, Message>();
  private readonly faults = new Map<string, string[]>();
  private readonly counts: MqttCounts = { published: 0, confirmed: 0, heard: 0, again: 0, connections: 0 };

  readPublisher(ledger: readonly MqttEntry[]): void {
    let last = 0;
    for (const entry of ledger) {
      if (entry.e === 'published') {
        if (entry.id <= last) this.fault('the client is wrong', entry, 'was numbered downwards');
        last = entry.id;
        this.counts.published++;
        this.messages.set(keyOf(entry), { published: entry, isConfirmed: false });
      } else if (entry.e === 'confirmed') {
        this.counts.confirmed++;
        const message = this.messages.get(keyOf(entry));
        if (message === undefined) this.fault('from nowhere', entry, 'was confirmed and never published');
        else if (message.isConfirmed) this.fault('two fates', entry, 'was confirmed twice');
        else message.isConfirmed = true;
      }
    }
  }

  readSubscriber(name: string, ledger: readonly MqttEntry[], isAtLeastOnce: boolean): void {
    const heard = new Set<string>();
    /** Of each publisher and QoS. */
    const highest = new Map<string, number>();
    const sessions = new Set<string>();
    for (const entry of ledger) {
      if (entry.e === 'connected') {
        this.counts.connections++;
        if (sessions.has(entry.role) && entry.present === false)
          this.faultText(
            'session',
            `session: ${name}'s ${entry.role} came to ${entry.text} and had none (${clock(entry.t)})`,
          );
        sessions.add(entry.role);
      } else if (entry.e === 'heard') this.heard(name, entry, { heard, highest, isAtLeastOnce });
    }
    for (const [key, { published, isConfirmed }] of this.messages)
      if (isConfirmed && !heard.has(key))
        this.fault('lost', published, `of QoS ${published.sent} was confirmed and never came to ${name}`);
  }

  verdict(): MqttVerdict {
    const faults = [...this.faults].flatMap(([kind, texts]) => {
      const more = texts.length - shownMax;
      return [...texts.slice(0, shownMax), ...(more > 0 ? [`and ${more} more: ${kind}`] : [])];
    });
    return { faults, counts: this.counts };
  }

  private heard(
    name: string,
    entry: MqttHeard,
    so: { readonly heard: Set<string>; readonly highest: Map<string, number>; readonly isAtLeastOnce: boolean },
  ): void {
    this.counts.heard++;
    const key = keyOf(entry);
    if (!this.messages.has(key)) this.fault('from nowhere', entry, `came to ${name} and was never published`);
    if (so.heard.has(key)) {
      if (entry.sent === 2 && !so.isAtLeastOnce) this.fault('twice', entry, `of QoS 2 came to ${name} again`);
      else this.counts.again++;
      return;
    }
    so.heard.add(key);
    const stream = `${entry.p} ${entry.sent}`;
    const before = so.highest.get(stream) ?? 0;
    if (entry.id < before) this.fault('order', entry, `of QoS ${entry.sent} came to ${name} after ${before}`);
    so.highest.set(stream, Math.max(before, entry.id));
  }

  private fault(kind: string, { p, id, t }: { p: string; id: number; t: number }, text: string): void {
    this.faultText(kind, `${kind}: ${p} ${id} ${text} (${clock(t)})`);
  }

  private faultText(kind: string, text: string): void {
    const texts = this.faults.get(kind) ?? [];
    this.faults.set(kind, texts);
    texts.push(text);
  }
}

function keyOf({ p, id }: { readonly p: string; readonly id: number }): string {
  return `${p} ${id}`;
}

const clock = (t: number): string => new Date(t).toISOString().slice(11, 23);
