import type { Got, Position } from '@chapar/core';
import { DELIVERY_MESSAGE, DELIVERY_REDELIVERED, DELIVERY_SAME } from '../guest/delivery-stream.js';
import type { PlaceBody } from '../guest/guest-lines.js';
import type { FrameCursor } from '../peer/frame-cursor.js';
import {
  FRAME_ANSWER,
  FRAME_ATTACHED,
  FRAME_DELIVERIES,
  FRAME_DETACHED,
  FRAME_GOT,
  FRAME_LEADS,
  FRAME_LEFT,
  FRAME_LINE_SETTLED,
  FRAME_LOST,
  FRAME_REFUSED,
  FRAME_SETTLED,
  FRAME_VERDICT,
} from '../peer/frames.js';
import { MessageReader } from '../peer/message-form.js';
import { detachReasons, type ErrorForm, errorOfForm, refusals } from '../peer/refusals.js';
import type { RemoteHome } from './remote-home.js';

/** Reads what the home of queues sends to this node. */
export class HomeFrames {
  private readonly home: RemoteHome;
  private readonly reader = new MessageReader();

  constructor(home: RemoteHome) {
    this.home = home;
  }

  /** False: not a frame of a home. Throws for what is no frame of ours. */
  receive(type: number, cursor: FrameCursor): boolean {
    const { home } = this;
    switch (type) {
      case FRAME_DELIVERIES:
        this.deliveries(cursor);
        return true;
      case FRAME_VERDICT:
        this.verdict(cursor.varint(), cursor.varint());
        return true;
      case FRAME_REFUSED: {
        const number = cursor.varint();
        const published = home.queues.get(number)?.line ?? home.lines.get(number)?.face.publishes;
        published?.refused(cursor.varint(), refusals[cursor.byte()]!);
        return true;
      }
      case FRAME_SETTLED:
        home.settled(cursor.varint());
        return true;
      case FRAME_GOT:
        this.got(cursor);
        return true;
      case FRAME_ATTACHED:
        this.attached(cursor.varint(), cursor.json() as ErrorForm | PlaceBody | number | null);
        return true;
      case FRAME_ANSWER: {
        const id = cursor.varint();
        const { error, answer } = cursor.json() as { readonly error?: ErrorForm; readonly answer?: unknown };
        this.answered(id, error ?? null, answer);
        return true;
      }
      case FRAME_DETACHED:
        home.consumers.get(cursor.varint())?.detached(detachReasons[cursor.byte()]!);
        return true;
      case FRAME_LEADS:
        home.leads(cursor.text(), cursor.varint());
        return true;
      case FRAME_LEFT:
        home.left(cursor.text(), cursor.varint());
        return true;
      case FRAME_LINE_SETTLED:
        home.lines.get(cursor.varint())?.face.settlements.forGood(cursor.varint());
        return true;
      case FRAME_LOST:
        home.consumers.get(cursor.varint())?.lose(cursor.json() as Position[]);
        return true;
      default:
        return false;
    }
  }

  private verdict(number: number, upTo: number): void {
    const { home } = this;
    const queue = home.queues.get(number);
    if (queue === undefined) {
      home.lines.get(number)?.face.publishes.settled(upTo);
      return;
    }
    queue.line.settled(upTo);
    home.judged(queue);
  }

  /** `said`: the consumer's place among all, which is said again of one that came back and was told another one. */
  private attached(id: number, said: ErrorForm | PlaceBody | number | null): void {
    if (typeof said === 'number') this.answered(id, null, said);
    else if (said !== null && 'consumer' in said) this.placed(said);
    else this.answered(id, said, null);
  }

  private placed({ consumer: id, order }: PlaceBody): void {
    const consumer = this.home.consumers.get(id);
    if (consumer !== undefined) consumer.order = order;
  }

  private answered(id: number, error: ErrorForm | null, answer: unknown): void {
    const request = this.home.requests.take(id);
    if (error === null) request?.answered(answer);
    else request?.failed(errorOfForm(error));
  }

  private deliveries(cursor: FrameCursor): void {
    const { home, reader } = this;
    reader.clear();
    let message = null;
    while (!cursor.isAtEnd) {
      const entry = cursor.byte();
      const id = cursor.varint();
      const consumer = home.consumers.get(id);
      const position = cursor.varint();
      if ((entry & DELIVERY_MESSAGE) !== 0) message = reader.read(cursor, home.vhostOf(consumer));
      else if ((entry & DELIVERY_SAME) === 0) throw new Error(`a peer sent an unknown entry ${entry}`);
      if (consumer === undefined) home.giveBack(id, position);
      else consumer.arrived(position, (entry & DELIVERY_REDELIVERED) !== 0, message!);
    }
  }

  private got(cursor: FrameCursor): void {
    const request = this.home.requests.take(cursor.varint());
    const kind = cursor.byte();
    if (kind === 3) {
      request?.failed(errorOfForm(cursor.json() as ErrorForm));
      return;
    }
    if (kind === 0) {
      request?.answered(null);
      return;
    }
    const ready = cursor.varint();
    const position = cursor.varint();
    this.reader.clear();
    const message = this.reader.read(cursor, null);
    message.keep();
    const redelivered = kind === 2;
    const holder = request?.holder ?? null;
    const delivery = position === 0 ? null : (holder?.hold(position, redelivered) ?? null);
    const got: Got = { message, redelivered, delivery, ready };
    request?.answered(got);
  }
}
