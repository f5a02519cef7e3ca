import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
  await fixture.put('/api/queues/%2F/q', { durable: true });
});
beforeEach(() => fixture.delete('/api/queues/%2F/q/contents'));
afterAll(() => fixture.close());

const publish = (body: object, exchange = 'amq.default', as?: string) =>
  fixture.post(
    `/api/exchanges/%2F/${exchange}/publish`,
    { properties: {}, routing_key: 'q', payload: 'hello', payload_encoding: 'string', ...body },
    as,
  );
const get = (body: object = {}) =>
  fixture.post('/api/queues/%2F/q/get', { count: 10, ackmode: 'ack_requeue_true', encoding: 'auto', ...body });

describe('publish', () => {
  test('says whether it was routed', async () => {
    expect((await publish({})).json).toEqual({ routed: true });
    expect((await publish({ routing_key: 'nowhere' })).json).toEqual({ routed: false });
  });

  test('a persistent message is answered when it is committed', async () => {
    fixture.logs.stalled = true;
    let answered = false;
    const answer = publish({ properties: { delivery_mode: 2 } }).then((result) => {
      answered = true;
      return result;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    fixture.logs.stalled = false;
    await fixture.logs.sync();
    expect((await answer).json).toEqual({ routed: true });
  });

  test('keeps properties, and bytes of any kind', async () => {
    const properties = { content_type: 'x/y', priority: 3, headers: { a: 1, b: ['x', true] } };
    await publish({ properties, payload: '//79', payload_encoding: 'base64' });
    const [message] = (await get()).json;
    expect(message).toEqual({
      payload_bytes: 3,
      redelivered: false,
      exchange: '',
      routing_key: 'q',
      message_count: 0,
      properties,
      payload: '//79',
      payload_encoding: 'base64',
    });
  });

  test('CC and BCC name further queues; BCC stays a secret', async () => {
    await fixture.put('/api/queues/%2F/copy');
    await fixture.put('/api/queues/%2F/blind');
    await publish({ properties: { headers: { CC: ['copy'], BCC: ['blind'] } } });
    for (const name of ['copy', 'blind']) {
      const body = { count: 1, ackmode: 'ack_requeue_false', encoding: 'auto' };
      const [message] = (await fixture.post(`/api/queues/%2F/${name}/get`, body)).json;
      expect(message.properties).toEqual({ headers: { CC: ['copy'] } });
    }
  });

  test.each([
    [{ payload: 5 }, 'payload_not_string'],
    [{ payload_encoding: 'odd' }, 'unsupported_encoding'],
    [{ payload: '!!', payload_encoding: 'base64' }, 'payload is not base64'],
    [{ properties: { priority: 'x' } }, 'priority must be a number'],
    [{ properties: { user_id: 'somebody' } }, "user_id property set to 'somebody' but authenticated user was 'guest'"],
    [{ routing_key: 'x'.repeat(256) }, 'at most 255 bytes'],
    [{ properties: 'x' }, 'properties must be an object'],
  ])('%j is refused', async (body, reason) => {
    const answer = await publish(body);
    expect(answer.status).toBe(400);
    expect(answer.json.reason).toContain(reason);
  });

  test('asks for the same permissions as AMQP does', async () => {
    const writer = await addUser(fixture, 'writer', ['management']);
    await fixture.broker.permissions.set('/', 'writer', { configure: '', write: '^amq\\.topic$', read: '' });
    expect((await publish({}, 'amq.default', writer)).status).toBe(401);
    expect((await publish({}, 'amq.topic', writer)).status).toBe(200);
    await fixture.broker.permissions.setTopic('/', 'writer', 'amq.topic', { write: '^mine', read: '' });
    expect((await publish({}, 'amq.topic', writer)).status).toBe(401);
    expect((await publish({ routing_key: 'mine.x' }, 'amq.topic', writer)).status).toBe(200);
    expect((await publish({}, 'amq.rabbitmq.trace')).json.reason).toContain('403 ACCESS_REFUSED');
    expect((await publish({}, 'nothing')).status).toBe(404);
  });
});

describe('get', () => {
  const counts = async () => {
    const { messages_ready: ready, messages_unacknowledged: held } = (await fixture.get('/api/queues/%2F/q')).json;
    return [ready, held];
  };

  test('messages that are given back stay, in order, and are flagged', async () => {
    for (const payload of ['1', '2', '3']) await publish({ payload });
    const first = (await get({ count: 2 })).json as { payload: string; message_count: number; redelivered: boolean }[];
    expect(first.map(({ payload, message_count, redelivered }) => [payload, message_count, redelivered])).toEqual([
      ['1', 2, false],
      ['2', 1, false],
    ]);
    const again = (await get()).json as { payload: string; redelivered: boolean }[];
    expect(again.map(({ payload, redelivered }) => [payload, redelivered])).toEqual([
      ['1', true],
      ['2', true],
      ['3', false],
    ]);
    expect(await counts()).toEqual([3, 0]);
  });

  test.each(['ack_requeue_false', 'reject_requeue_false'])('%s takes them away', async (ackmode) => {
    await publish({});
    expect((await get({ ackmode })).json).toHaveLength(1);
    expect(await counts()).toEqual([0, 0]);
    expect((await get({ ackmode })).json).toEqual([]);
  });

  test('properties of none are an empty list; long payloads are cut', async () => {
    await publish({ payload: 'hällo' });
    const [message] = (await get({ truncate: 2 })).json;
    // Cut inside a character: no longer text.
    expect(message).toMatchObject({ payload_bytes: 6, payload: 'aMM=', payload_encoding: 'base64', properties: [] });
    expect((await get({ encoding: 'base64' })).json[0].payload).toBe('aMOkbGxv');
  });

  test('wrong wishes are refused', async () => {
    expect((await fixture.post('/api/queues/%2F/q/get', { count: 1 })).json.reason).toBe(
      '[{key_missing,ackmode},{key_missing,encoding}]',
    );
    expect((await get({ ackmode: 'odd' })).json.reason).toContain('Invalid ackmode value: odd');
    expect((await get({ encoding: 'odd' })).status).toBe(400);
    expect(
      (await fixture.post('/api/queues/%2F/none/get', { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' }))
        .status,
    ).toBe(404);
  });

  test('counters tell what happened', async () => {
    const { message_stats: stats } = (await fixture.get('/api/queues/%2F/q')).json;
    expect(stats.publish).toBeGreaterThan(5);
    expect(stats.get).toBeGreaterThan(3);
    expect((await fixture.get('/api/overview')).json.message_stats.publish).toBeGreaterThanOrEqual(stats.publish);
  });
});
