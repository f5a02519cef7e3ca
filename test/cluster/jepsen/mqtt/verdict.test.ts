import { beforeEach, describe, expect, test } from 'vitest';
import { answeredGoodbye } from './connection.js';
import { Journal, mqttHistory } from './entry.js';
import { judgeMqtt, type MqttTerms } from './verdict.js';

let t = 0;
const journal = new Journal(() => t);
const nodes = ['a', 'b'];
/** Nothing was wrong, and it is known that all was well at 1 s, 2 s and so on. */
const calm: MqttTerms = {
  spans: [],
  quiet: Array.from({ length: 20 }, (_, i) => i * 1000),
  nodes,
  order: 'well',
  wills: 'at-least-once',
};
/** Something was wrong all the time. */
const storm: MqttTerms = { ...calm, spans: [{ kind: 'kill', fromMs: 0, toMs: 1e6 }] };

beforeEach(() => {
  t = 0;
  journal.entries.length = 0;
});

// ---- what clients write down ---------------------------------------------------------------------------------------

const at = (ms: number) => {
  t = ms;
};
const write = (fact: Parameters<Journal['write']>[0]) => {
  t++;
  journal.write(fact);
};
const subscribed = (c: string, filter = 'm/#', qos: 1 | 2 = 2) => write({ e: 'subscribed', c, k: 1, filter, qos });
const connecting = (c: string, k: number) => write({ e: 'connecting', c, k, at: 'a', will: true });
const connected = (c: string, k: number, present: boolean) => {
  connecting(c, k);
  write({ e: 'connected', c, k, present });
};
const over = (c: string, k: number, text = 'dropped') => write({ e: 'over', c, k, text });

interface More {
  readonly qos?: 1 | 2;
  readonly k?: number;
  readonly topic?: string;
  readonly dup?: boolean;
  readonly known?: boolean;
}

const sent = (n: number, { qos = 2, k = 1, topic = 'm/p' }: More = {}) =>
  write({ e: 'sent', c: 'p', k, p: 'p', n, topic, qos, id: n, dup: k > 1 });
const acked = (n: number, k = 1) => write({ e: 'acked', c: 'p', k, p: 'p', n, text: 'pubrec' });
const published = (n: number, more: More = {}) => {
  sent(n, more);
  acked(n, more.k);
};
const came = (c: string, n: number, { qos = 2, k = 1, topic = 'm/p', dup = false, known = false }: More = {}) =>
  write({ e: 'came', c, k, p: 'p', n, topic, qos, id: n, dup, known });
const puback = (c: string, n: number, k = 1) => write({ e: 'puback', c, k, p: 'p', n, id: n });
const will = (of: string, n: number, dup = false) => write({ e: 'will', c: 'w', k: 1, of, n, dup });
const read = (node: string, n: number, isLast = true, askedMs = t + 0.5) =>
  write({ e: 'read', c: `reader-${node}`, k: 1, at: node, topic: 'last/0', p: 'p', n, askedMs, isLast });
const kept = { topic: 'last/0' } as const;

const judged = (terms = calm) => judgeMqtt(journal.entries, terms);
/** Kinds of faults. */
const kinds = (terms = calm) => judged(terms).faults.map((text) => text.split(':')[0]);

// ---- ---------------------------------------------------------------------------------------------------------------

describe('brokers that keep their word', () => {
  test('everything comes once and in order, to who is subscribed', () => {
    subscribed('early');
    published(1);
    subscribed('late');
    published(2);
    for (const n of [1, 2]) came('early', n);
    came('late', 2);
    expect(judged().faults).toEqual([]);
    expect(judged().counts).toMatchObject({ published: 2, acked: 2, arrived: 3, twice: 0, late: 0 });
  });

  test('what was not acknowledged may come or not', () => {
    subscribed('c');
    sent(1);
    sent(2);
    write({ e: 'nacked', c: 'p', k: 1, p: 'p', n: 3, text: 'puback 0x97' });
    came('c', 2);
    expect(kinds()).toEqual([]);
  });

  test('QoS 2 comes again while its identifier is not released', () => {
    subscribed('c');
    published(1);
    came('c', 1);
    came('c', 1, { k: 2, dup: true, known: true });
    expect(kinds()).toEqual([]);
  });

  test('QoS 1 comes again with DUP, and once more without for each time that it was sent', () => {
    subscribed('c', 'm/#', 1);
    sent(1, { qos: 1 });
    published(1, { qos: 1, k: 2 });
    for (const dup of [false, false, true]) came('c', 1, { qos: 1, dup });
    expect(judged().faults).toEqual([]);
    expect(judged().counts.twice).toBe(1);
  });

  test('each message comes to one of a group, in any order', () => {
    for (const c of ['one', 'other']) subscribed(c, '$share/g/m/#');
    for (const n of [1, 2, 3]) published(n);
    for (const n of [3, 1]) came('one', n);
    came('other', 2);
    expect(kinds()).toEqual([]);
  });

  test('while something is wrong order may get lost, and a group have QoS 2 twice: it is counted', () => {
    subscribed('c');
    subscribed('member', '$share/g/m/#');
    for (const n of [1, 2]) published(n);
    for (const n of [2, 1]) came('c', n);
    for (const n of [1, 2, 2]) came('member', n);
    const { faults, counts } = judged(storm);
    expect(faults).toEqual([]);
    expect(counts).toMatchObject({ late: 1, groupTwice: 1 });
  });

  test('what was settled a moment ago, or on a connection that ended, may come again with DUP', () => {
    subscribed('c', 'm/#', 1);
    for (const n of [1, 2]) {
      published(n, { qos: 1 });
      came('c', n, { qos: 1 });
      puback('c', n);
      if (n === 1) came('c', 1, { qos: 1, dup: true });
    }
    over('c', 1);
    at(9000);
    came('c', 2, { qos: 1, dup: true, k: 2 });
    expect(kinds()).toEqual([]);
  });

  test('a session is there when its client comes again', () => {
    connected('c', 1, false);
    connecting('c', 2);
    connected('c', 3, true);
    expect(kinds()).toEqual([]);
  });

  test('wills of those that died come, those of others do not; two are counted', () => {
    subscribed('w', 'will/#', 1);
    for (const k of [1, 2, 4]) connected('c', k, k > 1);
    write({ e: 'left', c: 'c', k: 4, text: '' });
    over('c', 4, answeredGoodbye);
    for (const k of [1, 2]) over('c', k);
    will('c', 1);
    will('c', 1, true);
    will('c', 2);
    will('c', 2);
    expect(judged().faults).toEqual([]);
    expect(judged().counts).toMatchObject({ wills: 2, willsTwice: 1, willsLost: 0 });
    expect(kinds({ ...calm, wills: 'once' })).toEqual(['mqtt will twice']);
  });

  test('the last value is the one that was acknowledged last, or one without an answer', () => {
    for (const n of [1, 2]) published(n, kept);
    for (const node of nodes) read(node, 2);
    expect(kinds()).toEqual([]);
    sent(3, kept);
    for (const node of nodes) read(node, 3);
    expect(kinds()).toEqual(['mqtt retained differently']);
    journal.entries.splice(4, 2);
    expect(kinds()).toEqual([]);
  });

  test('the last value may be an older one of which one copy got no answer', () => {
    sent(1, kept);
    published(1, { ...kept, k: 2 });
    published(2, { ...kept, k: 2 });
    for (const node of nodes) read(node, 1);
    expect(kinds()).toEqual([]);
  });

  test('who asks while something is wrong may be given an older value', () => {
    for (const n of [1, 2]) published(n, kept);
    read('a', 1, false);
    for (const node of nodes) read(node, 2);
    expect(judged(storm).faults).toEqual([]);
    expect(judged(storm).counts).toMatchObject({ reads: 3, readsOld: 1 });
  });
});

describe('brokers that do not are found out', () => {
  test.each<[string, string[], () => void]>([
    ['an acknowledged message lost', ['lost'], () => published(1)],
    [
      'lost for one of two',
      ['lost'],
      () => {
        subscribed('other');
        published(1);
        came('other', 1);
      },
    ],
    [
      'taken for one whose identifier the client holds',
      ['lost'],
      () => {
        published(1);
        came('c', 1, { known: true });
      },
    ],
    ['from nowhere', ['from nowhere'], () => came('c', 1)],
    [
      'in another topic',
      ['from nowhere'],
      () => {
        published(1);
        came('c', 1, { topic: 'm/q' });
      },
    ],
    [
      'with another QoS',
      ['QoS'],
      () => {
        published(1);
        came('c', 1, { qos: 1 });
      },
    ],
    [
      'QoS 2 twice, with DUP too',
      ['QoS 2 twice'],
      () => {
        published(1);
        came('c', 1);
        came('c', 1, { dup: true, k: 2 });
      },
    ],
    [
      'QoS 1 twice without DUP',
      ['QoS 1 twice'],
      () => {
        published(1, { qos: 1 });
        came('c', 1, { qos: 1 });
        came('c', 1, { qos: 1, k: 2 });
      },
    ],
    [
      'QoS 1 again long after its PUBACK',
      ['settled'],
      () => {
        published(1, { qos: 1 });
        came('c', 1, { qos: 1 });
        puback('c', 1);
        at(5000);
        came('c', 1, { qos: 1, dup: true });
      },
    ],
    [
      'out of order',
      ['order'],
      () => {
        for (const n of [1, 2]) published(n);
        for (const n of [2, 1]) came('c', n);
      },
    ],
    [
      'a session gone',
      ['session lost'],
      () => {
        connected('c', 1, false);
        connected('c', 2, false);
      },
    ],
    [
      'the will of one who said goodbye',
      ['will'],
      () => {
        subscribed('w', 'will/#', 1);
        connected('c', 1, false);
        write({ e: 'left', c: 'c', k: 1, text: '' });
        over('c', 1, answeredGoodbye);
        will('c', 1);
      },
    ],
    [
      'no will of one who died',
      ['will lost'],
      () => {
        subscribed('w', 'will/#', 1);
        connected('c', 1, false);
        over('c', 1);
      },
    ],
    ['the will of nobody', ['from nowhere'], () => will('c', 7)],
    [
      'nodes that differ in what is retained',
      ['retained differently'],
      () => {
        sent(1, kept);
        published(2, kept);
        read('a', 2);
        read('b', 3);
        sent(3, kept);
      },
    ],
    [
      'an older value in the end',
      ['retained old'],
      () => {
        for (const n of [1, 2]) published(n, kept);
        for (const node of nodes) read(node, 1);
      },
    ],
    [
      'a value that is not there on one node',
      ['not retained'],
      () => {
        published(1, kept);
        read('a', 1);
      },
    ],
    [
      'a value that nobody published',
      ['from nowhere'],
      () => {
        published(1, kept);
        for (const node of nodes) read(node, 1);
        read('a', 7, false);
      },
    ],
    [
      'an old value while all is well',
      ['old'],
      () => {
        for (const n of [1, 2]) published(n, kept);
        read('a', 1, false);
        for (const node of nodes) read(node, 2);
      },
    ],
  ])('%s', (_, expected, story) => {
    subscribed('c');
    story();
    expect(kinds()).toEqual(expected.map((kind) => `mqtt ${kind}`));
  });

  test('a message that no member of a group had, and QoS 2 that two had while all was well', () => {
    for (const c of ['one', 'other']) subscribed(c, '$share/g/m/#');
    for (const n of [1, 2]) published(n);
    for (const c of ['one', 'other']) came(c, 2);
    expect(kinds()).toEqual(['mqtt lost', 'mqtt QoS 2 twice']);
  });

  test('order, if it is to be kept whatever happens', () => {
    subscribed('c');
    for (const n of [1, 2]) published(n);
    for (const n of [2, 1]) came('c', n);
    expect(kinds({ ...storm, order: 'always' })).toEqual(['mqtt order']);
  });

  test('what was wrong lasts until all has recovered from it', () => {
    const terms = { ...calm, spans: [{ kind: 'kill', fromMs: 100, toMs: 1200 }] };
    subscribed('c');
    at(1800);
    for (const n of [1, 2]) published(n);
    for (const n of [2, 1]) came('c', n);
    expect(kinds(terms)).toEqual([]);
    at(2100);
    for (const n of [3, 4]) published(n);
    for (const n of [4, 3]) came('c', n);
    expect(kinds(terms)).toEqual(['mqtt order']);
  });

  test('thousands of a kind are told in a few lines', () => {
    subscribed('c');
    for (let n = 1; n <= 1000; n++) published(n);
    expect(judged().faults).toHaveLength(6);
    expect(judged().faults[5]).toBe('and 995 more: mqtt lost');
    expect(judged().suspects).toEqual([{ p: 'p', n: 1 }]);
  });
});

test('all that was seen of a message, in one order', () => {
  sent(1);
  sent(2);
  came('c', 1);
  expect(mqttHistory('p', 1, journal.entries)).toEqual([
    '00:00:00.001  sent by p on connection 1 {"p":"p","n":1,"topic":"m/p","qos":2,"id":1,"dup":false}',
    '00:00:00.003  came by c on connection 1 {"p":"p","n":1,"topic":"m/p","qos":2,"id":1,"dup":false,"known":false}',
  ]);
});
