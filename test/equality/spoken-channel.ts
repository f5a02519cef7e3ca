import type { MethodInput } from '../../packages/amqp091/src/codec/index.js';
import type { Received } from '../support/amqp-peer.js';
import { heard } from './rendering.js';

const ANSWERED = /^(exchange|queue|tx|confirm)\.|^basic\.(qos|consume|cancel|get|recover)$|^channel\.flow$/;

/** What one channel heard in a step, and what it is still owed. */
export class SpokenChannel {
  readonly name: string;
  /** The method that ended it. */
  end: string | null = null;
  private answers = 0;
  /** The number of the last publish; null when confirms were not asked for. */
  private published: number | null = null;
  private readonly unconfirmed = new Set<number>();
  private verdicts: [number, string][] = [];
  private lines: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get isOwed(): boolean {
    return this.end === null && (this.answers > 0 || this.unconfirmed.size > 0);
  }

  said(method: MethodInput): void {
    const { name } = method;
    if (name === 'basic.publish' && this.published !== null) this.unconfirmed.add(++this.published);
    if (name === 'confirm.select') this.published ??= 0;
    if (ANSWERED.test(name) && !('noWait' in method && method.noWait)) this.answers++;
  }

  heard(received: Received): void {
    const { method } = received;
    if (method.name === 'channel.close' || method.name === 'connection.close') this.end = method.name;
    else if (/-ok$|-empty$/.test(method.name)) this.answers--;
    if (method.name === 'basic.ack' || method.name === 'basic.nack') {
      this.confirmed(Number(method.deliveryTag), method.multiple, method.name.slice('basic.'.length));
    } else {
      this.lines.push(...heard(this.name, received));
    }
  }

  /** What came in this step. Verdicts stand last and one by one: when, and how many at once, is the broker's to choose. */
  report(): string[] {
    const verdicts = this.verdicts.sort(([a], [b]) => a - b).map(([tag, verdict]) => `${verdict} ${tag}`);
    const lines =
      verdicts.length === 0 ? this.lines : [...this.lines, `${this.name}< confirms: ${verdicts.join(', ')}`];
    this.lines = [];
    this.verdicts = [];
    return lines;
  }

  private confirmed(tag: number, multiple: boolean, verdict: string): void {
    const tags = multiple ? [...this.unconfirmed].filter((one) => tag === 0 || one <= tag) : [tag];
    for (const one of tags) {
      const wasOwed = this.unconfirmed.delete(one);
      this.verdicts.push([one, wasOwed ? verdict : `${verdict} (once more)`]);
    }
  }
}
