import type { BinderOptions } from '../clients/binder.js';
import type { ChurnerOptions } from '../clients/churner.js';
import { type ConsumerOptions, consumerDefaults } from '../clients/consumers.js';
import type { GetterOptions } from '../clients/getter.js';
import type { OwnerOptions } from '../clients/owner.js';
import { type PublisherOptions, publisherDefaults } from '../clients/publishers.js';
import type { PurgerOptions } from '../clients/purger.js';
import type { VisitorOptions } from '../clients/visitor.js';
import { Line } from './line.js';

export interface QueueLine {
  readonly name: string;
  readonly node: string;
  readonly isDurable: boolean;
  /** How many nodes have a copy; null: it lives on one, and is not mirrored. */
  readonly copies: number | null;
  readonly isSingleActive: boolean;
  readonly deadLettersTo: string | null;
  /** More than so many are refused; null: no limit. */
  readonly max: number | null;
  /** Of more than so many the oldest go; null: no limit. */
  readonly newest: number | null;
  /** How long messages stay; null: as long as they like. Milliseconds. */
  readonly ttlMs: number | null;
  /** What was given back more often goes; null: no limit. */
  readonly deliveryLimit: number | null;
  /** The highest priority; null: it has none. */
  readonly priorityMax: number | null;
}

export interface BindingLine {
  readonly exchange: string;
  readonly routingKey: string;
  readonly queue: string;
}

export type ClientLine = { readonly name: string; readonly hosts: readonly string[] } & (
  | { readonly kind: 'publisher'; readonly options: PublisherOptions }
  | { readonly kind: 'consumer'; readonly options: ConsumerOptions }
  | { readonly kind: 'churner'; readonly options: ChurnerOptions }
  | { readonly kind: 'getter'; readonly options: GetterOptions }
  | { readonly kind: 'owner'; readonly options: OwnerOptions }
  | { readonly kind: 'visitor'; readonly options: VisitorOptions }
  | { readonly kind: 'purger'; readonly options: PurgerOptions }
  | { readonly kind: 'rebuilder'; readonly options: { readonly queue: string; readonly everyMs: number } }
  /** `probers`: where the one stands who publishes for it. */
  | { readonly kind: 'binder'; readonly options: BinderOptions; readonly probers: readonly string[] }
);

/** Whatever is not said of it. */
const plainQueue: Omit<QueueLine, 'name' | 'node'> = {
  isDurable: true,
  copies: null,
  isSingleActive: false,
  deadLettersTo: null,
  max: null,
  newest: null,
  ttlMs: null,
  deliveryLimit: null,
  priorityMax: null,
};

/** What happens in a run: who is there, and what befalls them. README.md tells the language. */
export interface Story {
  readonly nodes: readonly string[];
  readonly exchanges: readonly { readonly name: string; readonly type: string }[];
  readonly queues: readonly QueueLine[];
  readonly bindings: readonly BindingLine[];
  readonly clients: readonly ClientLine[];
  /** The rest, line by line; see Steps. */
  readonly steps: readonly string[];
}

interface Draft {
  nodes: string[];
  exchanges: { name: string; type: string }[];
  queues: QueueLine[];
  bindings: BindingLine[];
  clients: ClientLine[];
  steps: string[];
}

/** Reads a story. Throws StoryError, naming the line. */
export function parseStory(text: string): Story {
  const draft: Draft = { nodes: [], exchanges: [], queues: [], bindings: [], clients: [], steps: [] };
  for (const raw of text.split('\n')) {
    const content = raw.split('#')[0]!.trim();
    if (content === '') continue;
    const line = new Line(content);
    const read = readers[line.word('a verb')];
    if (read === undefined) {
      draft.steps.push(content);
      continue;
    }
    read(line, draft);
    line.end();
  }
  return draft;
}

const readers: { readonly [verb: string]: (line: Line, draft: Draft) => void } = {
  nodes: (line, draft) => {
    while (!line.isEmpty) draft.nodes.push(line.word('a name'));
  },

  exchange: (line, draft) => {
    draft.exchanges.push({ name: line.word('a name'), type: line.word('a type') });
  },

  queue: (line, draft) => {
    const name = line.word('a name');
    line.must('on');
    const queue: { -readonly [K in keyof QueueLine]: QueueLine[K] } = {
      ...plainQueue,
      name,
      node: line.word('a node'),
    };
    while (!line.isEmpty) {
      if (line.has('transient')) queue.isDurable = false;
      else if (line.has('mirrored')) queue.copies = line.has('by') ? line.number('a number of copies') : 3;
      else if (line.has('single-active')) queue.isSingleActive = true;
      else if (line.has('dead-letters-to')) queue.deadLettersTo = line.word('a queue');
      else if (line.has('max')) queue.max = line.number('a limit');
      else if (line.has('newest')) queue.newest = line.number('a limit');
      else if (line.has('ttl')) queue.ttlMs = line.time('a time');
      else if (line.has('returns')) queue.deliveryLimit = line.number('a limit');
      else if (line.has('priorities')) queue.priorityMax = line.number('a priority');
      else break;
    }
    draft.queues.push(queue);
  },

  bind: (line, draft) => {
    const [exchange, routingKey] = place(line);
    line.must('->');
    draft.bindings.push({ exchange, routingKey, queue: line.word('a queue') });
  },

  publisher: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('to');
    const [exchange, routingKey] = place(line);
    const queues = queuesOf(draft, exchange, routingKey);
    const options: { -readonly [K in keyof PublisherOptions]: PublisherOptions[K] } = {
      ...publisherDefaults,
      exchange,
      routingKey,
      queues,
    };
    while (!line.isEmpty) {
      if (line.has('every')) options.everyMs = line.time('an interval');
      else if (line.has('burst')) options.burst = line.number('a burst');
      else if (line.has('count')) options.count = line.number('a count');
      else if (line.has('window')) options.windowMax = line.number('a window');
      else if (line.has('transient')) options.persistent = false;
      else if (line.has('priorities')) options.priorityMax = line.number('a priority');
      else if (line.has('retries')) options.retries = true;
      else if (line.has('expires')) options.expiresMs = line.time('a time');
      else if (line.has('transactions')) options.transactions = true;
      else break;
    }
    draft.clients.push({ kind: 'publisher', name, hosts, options });
  },

  consumer: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('of');
    const options: { -readonly [K in keyof ConsumerOptions]: ConsumerOptions[K] } = {
      ...consumerDefaults,
      queue: line.word('a queue'),
    };
    while (!line.isEmpty) {
      if (line.has('prefetch')) options.prefetch = line.number('a prefetch');
      else if (line.has('hold')) options.holdMs = line.time('a time');
      else if (line.has('releases')) options.releases = line.share('a share');
      else if (line.has('rejects')) options.rejects = line.share('a share');
      else if (line.has('cancels')) options.cancels = line.share('a share');
      else if (line.has('no-ack')) options.acknowledges = false;
      else if (line.has('exclusive')) options.exclusive = true;
      else break;
    }
    draft.clients.push({ kind: 'consumer', name, hosts, options });
  },

  churner: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('of');
    const exchange = line.word('an exchange');
    const everyMs = line.has('every') ? line.time('an interval') : 100;
    draft.clients.push({ kind: 'churner', name, hosts, options: { exchange, everyMs } });
  },

  getter: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('of');
    const queue = line.word('a queue');
    const everyMs = line.has('every') ? line.time('an interval') : 50;
    const releases = line.has('releases') ? line.share('a share') : 0;
    draft.clients.push({ kind: 'getter', name, hosts, options: { queue, everyMs, releases } });
  },

  owner: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('of');
    const queue = line.word('a queue');
    const keepMs = line.has('keeps') ? line.time('a time') : 500;
    draft.clients.push({ kind: 'owner', name, hosts, options: { queue, keepMs } });
  },

  visitor: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('of');
    const queue = line.word('a queue');
    const durable = !line.has('transient');
    const staysMs = line.has('stays') ? line.time('a time') : 500;
    draft.clients.push({ kind: 'visitor', name, hosts, options: { queue, durable, staysMs } });
  },

  purger: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('of');
    const queue = line.word('a queue');
    const everyMs = line.has('every') ? line.time('an interval') : 1_000;
    draft.clients.push({ kind: 'purger', name, hosts, options: { queue, everyMs } });
  },

  rebuilder: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('of');
    const queue = line.word('a queue');
    const everyMs = line.has('every') ? line.time('an interval') : 1_000;
    draft.clients.push({ kind: 'rebuilder', name, hosts, options: { queue, everyMs } });
  },

  binder: (line, draft) => {
    const { name, hosts } = client(line);
    line.must('to');
    const exchange = line.word('an exchange');
    line.must('probed-at');
    const probers = line.list('nodes');
    const everyMs = line.has('every') ? line.time('an interval') : 100;
    draft.clients.push({ kind: 'binder', name, hosts, probers, options: { exchange, everyMs } });
  },
};

function client(line: Line): { readonly name: string; readonly hosts: readonly string[] } {
  const name = line.word('a name');
  line.must('at');
  return { name, hosts: line.list('nodes') };
}

/** `QUEUE` by the default exchange, or `EXCHANGE/KEY`. */
export function place(line: Line): [exchange: string, routingKey: string] {
  const word = line.word('a queue or an exchange with a key');
  const at = word.indexOf('/');
  return at < 0 ? ['', word] : [word.slice(0, at), word.slice(at + 1)];
}

function queuesOf({ exchanges, bindings }: Draft, exchange: string, routingKey: string): string[] {
  if (exchange === '') return [routingKey];
  const isFanout = exchanges.some(({ name, type }) => name === exchange && type === 'fanout');
  const bound = bindings.filter((each) => each.exchange === exchange && (isFanout || each.routingKey === routingKey));
  return [...new Set(bound.map(({ queue }) => queue))];
}
