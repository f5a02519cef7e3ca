import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fixture, startFixture } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
  const actor = await fixture.broker.enter({ user: 'guest', tags: [], backend: 'internal' }, '/', {});
  // Many, and declared without HTTP, so that the test is about listing them.
  for (let i = 0; i < 10_000; i++) {
    await actor.declareQueue({ name: `q${i}`, durable: false, exclusive: false, autoDelete: false, arguments: {} });
  }
});
afterAll(() => fixture.close());

describe('pages', () => {
  test('the field’s envelope', async () => {
    const { json } = await fixture.get('/api/queues?page=2&page_size=3&columns=name&sort=name');
    expect(json).toEqual({
      filtered_count: 10_000,
      item_count: 3,
      items: [{ name: 'q100' }, { name: 'q1000' }, { name: 'q1001' }],
      page: 2,
      page_count: 3334,
      page_size: 3,
      total_count: 10_000,
    });
  });

  test('filtered by a part of the name, or by a pattern, whatever the case', async () => {
    const part = (await fixture.get('/api/queues/%2F?page=1&name=Q999&columns=name')).json;
    expect(part.filtered_count).toBe(11);
    expect(part.page_size).toBe(100);
    const pattern = (await fixture.get('/api/queues?page=1&name=%5EQ99%5Cd%24&use_regex=true&columns=name')).json;
    expect(pattern.filtered_count).toBe(10);
    const empty = (await fixture.get('/api/queues?page=1&name=nothing')).json;
    expect(empty).toMatchObject({ filtered_count: 0, items: [], page_count: 0 });
  });

  test.each([
    ['page=0', 'invalid_pagination_parameters'],
    ['page=1&page_size=501', 'invalid_pagination_parameters'],
    ['page=1&page_size=0', 'invalid_pagination_parameters'],
    ['page=one', 'bad_request'],
    ['page=102&page_size=100', 'page_out_of_range'],
    ['page=1&name=(&use_regex=true', 'bad_request'],
  ])('%s is refused', async (query, error) => {
    const answer = await fixture.get(`/api/queues?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toBe(error);
  });

  test('sorted by a column, down to what is inside, and reversed', async () => {
    const queue = fixture.broker.topology.vhosts.get('/')!.localQueue('q77')!;
    queue.statistics.published = 5;
    const query = 'sort=message_stats.publish&sort_reverse=true&page=1&page_size=1&columns=name,message_stats.publish';
    expect((await fixture.get(`/api/queues?${query}`)).json.items).toEqual([
      { name: 'q77', message_stats: { publish: 5 } },
    ]);
    queue.statistics.published = 0;
  });
});

describe('big lists', () => {
  test('are whole, and hold the event loop for short whiles only', async () => {
    const lags: number[] = [];
    let last = performance.now();
    let listening = true;
    const tick = (): void => {
      const now = performance.now();
      lags.push(now - last);
      last = now;
      if (listening) setImmediate(tick);
    };
    setImmediate(tick);
    const answer = await fixture.management.inject({
      method: 'GET',
      url: '/api/queues',
      headers: { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` },
    });
    listening = false;
    expect(JSON.parse(answer.payload)).toHaveLength(10_000);
    // Turns of the loop while the list was made: without slices there would be a few, each long.
    expect(lags.length).toBeGreaterThan(20);
    lags.sort((a, b) => a - b);
    // Wide, since the machine is shared; the median tells of slices.
    expect(lags[Math.floor(lags.length / 2)]).toBeLessThan(50);
  });
});
