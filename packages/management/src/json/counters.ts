import type { JsonValue, QueueStatistics } from '@chapar/core';

export type Row = Record<string, JsonValue>;

/**
 * Lengths with their `_details`. The field always has these, and clients read `messages_details.rate` without looking first; the rate
 * is 0 until rates are built. Counters of `message_stats` are absent in the field until something happened, so they go without.
 */
export function lengths(ready: number, unacknowledged: number): Row {
  return {
    messages: ready + unacknowledged,
    messages_details: { rate: 0 },
    messages_ready: ready,
    messages_ready_details: { rate: 0 },
    messages_unacknowledged: unacknowledged,
    messages_unacknowledged_details: { rate: 0 },
  };
}

/** Of the counters of a queue, those that are summed. */
export type Counted = Pick<
  QueueStatistics,
  'published' | 'delivered' | 'deliveredSettled' | 'got' | 'gotSettled' | 'getEmpty' | 'redelivered' | 'settled'
>;

/** Sums of queues' counters. */
export class MessageCounts {
  private publish = 0;
  private deliver = 0;
  private deliverNoAck = 0;
  private get = 0;
  private getNoAck = 0;
  private getEmpty = 0;
  private redeliver = 0;
  private ack = 0;

  add(counted: Counted): void {
    this.publish += counted.published;
    this.deliver += counted.delivered;
    this.deliverNoAck += counted.deliveredSettled;
    this.get += counted.got;
    this.getNoAck += counted.gotSettled;
    this.getEmpty += counted.getEmpty;
    this.redeliver += counted.redelivered;
    this.ack += counted.settled;
  }

  /** `message_stats` in the field's names; null when nothing happened yet. */
  json(): Row | null {
    const { publish, deliver, deliverNoAck, get, getNoAck, getEmpty, redeliver, ack } = this;
    const deliverGet = deliver + deliverNoAck + get + getNoAck;
    if (publish + deliverGet + getEmpty + ack === 0) return null;
    return {
      ack,
      deliver,
      deliver_get: deliverGet,
      deliver_no_ack: deliverNoAck,
      get,
      get_empty: getEmpty,
      get_no_ack: getNoAck,
      publish,
      redeliver,
    };
  }
}

export function messageStats(counted: QueueStatistics): Row {
  const counts = new MessageCounts();
  counts.add(counted);
  const json = counts.json();
  return json === null ? {} : { message_stats: json };
}
