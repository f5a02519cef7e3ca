import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Story } from '../../examples/demo/stories.mjs';
import { stories } from '../../examples/demo/stories.mjs';
import { skipUnless } from '../support/skip.js';
import type { Broker } from './broker.js';
import { startBroker, whyNot } from './broker.js';
import { runWell } from './command.js';
import { clients, messageQueue } from './python-environment.js';
import { needs, scenarios, survival } from './scenarios.js';
import { inNode, inPython, mixed, playStory } from './stories.js';

const libraries = ['pika-blocking', 'pika-select', 'aio-pika'];
const program = fileURLToPath(new URL('python/scenarios.py', import.meta.url));
const environment = await clients();
const oldEnvironment = await messageQueue();
const noClients = skipUnless(environment.missing === null, environment.missing ?? '');
const noMessageQueue = skipUnless(oldEnvironment.missing === null, oldEnvironment.missing ?? '');
const python = environment.python ?? '';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker?.stop());

function play(library: string, scenario: string): Promise<string> {
  return runWell([python, program, library, scenario], { environment: { AMQP_URL: broker.url }, seconds: 70 });
}

describe.skipIf(noClients).each(libraries)('%s', (library) => {
  for (const name of scenarios) {
    test(name, async ({ skip }) => {
      const reason = whyNot(broker, needs[name] ?? {});
      if (reason !== null) skip(reason);
      if (needs[name]?.needsUsers) for (const user of ['alice', 'bob']) await broker.addUser(user, 'secret');
      await play(library, name);
    });
  }
});

describe.skipIf(noClients)('what all Python clients left survives', () => {
  const endings: [string, () => Promise<void>][] = [
    ['a clean restart', () => broker.restart()],
    ['a kill -9', () => broker.kill9().then(() => broker.restart())],
  ];
  for (const [name, end] of endings) {
    test(name, async ({ skip }) => {
      const reason = whyNot(broker, { needsRestart: true });
      if (reason !== null) skip(reason);
      for (const library of libraries) await play(library, survival.leave);
      await end();
      for (const library of libraries) await play(library, survival.check);
    });
  }
});

describe.skipIf(noClients)('examples', () => {
  const casts = {
    'in Python': inPython(python),
    'Node begins, Python goes on': mixed(inNode, inPython(python)),
    'Python begins, Node goes on': mixed(inPython(python), inNode),
  };
  describe.each(Object.entries(casts))('%s', (_, cast) => {
    for (const story of stories) {
      test(story.name, async ({ skip }) => {
        const reason = whyNot(broker, story);
        if (reason !== null) skip(reason);
        await playStory(story, broker, cast);
      });
    }
  });
});

describe.skipIf(noMessageQueue)('the package message-queue', () => {
  test.each([
    ['publisher first', ['publisher', 'subscriber']],
    ['subscriber first', ['subscriber', 'publisher']],
  ])('%s', async (_, order) => {
    const story: Story = {
      name: 'message-queue',
      tells: 'Orders go through the package message-queue.',
      async play({ start }) {
        const started = [];
        for (const name of order) {
          const program = start(`message-queue-${name}`);
          started.push(program);
          if (name === 'publisher') await program.finished();
          else await program.saw('waiting for orders');
        }
        for (const program of started) await program.finished();
        const { output } = started[order.indexOf('subscriber')]!;
        for (const number of [1, 2, 3]) expect(output).toContain(`got order ${number}: tea (order-${number})`);
      },
    };
    await playStory(story, broker, inPython(oldEnvironment.python ?? ''));
  });
});
