import { afterAll, beforeAll, describe, test } from 'vitest';
import { stories } from '../../examples/demo/stories.mjs';
import type { Broker } from './broker.js';
import { startBroker, whyNot } from './broker.js';
import { amqplibCallback } from './node/amqplib-callback.js';
import { amqplibPromise } from './node/amqplib-promise.js';
import { rabbitmqClient } from './node/rabbitmq-client.js';
import { nodeScenarios } from './node/scenarios.js';
import { play } from './node/stage.js';
import { survivalScenarios } from './node/survival.js';
import { needs, scenarios } from './scenarios.js';
import { inNode, playStory } from './stories.js';

const libraries = [amqplibPromise, amqplibCallback, rabbitmqClient];
const timeout = 60_000;
let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
}, timeout);
afterAll(() => broker?.stop(), timeout);

describe.each(libraries)('$name', (library) => {
  for (const name of scenarios) {
    test(name, { timeout }, async ({ skip }) => {
      const reason = whyNot(broker, needs[name] ?? {});
      if (reason !== null) skip(reason);
      await play(nodeScenarios[name], library, broker);
    });
  }
});

describe('examples in Node', () => {
  for (const story of stories) {
    test(story.name, { timeout }, async ({ skip }) => {
      const reason = whyNot(broker, story);
      if (reason !== null) skip(reason);
      await playStory(story, broker, inNode);
    });
  }
});

describe('what all Node clients left survives', () => {
  const ways = {
    'a clean restart': () => broker.restart(),
    'a kill -9': async () => {
      await broker.kill9();
      await broker.restart();
    },
  };
  for (const [name, end] of Object.entries(ways)) {
    test(name, { timeout }, async ({ skip }) => {
      const reason = whyNot(broker, { needsRestart: true });
      if (reason !== null) skip(reason);
      for (const library of libraries) await play(survivalScenarios.leave, library, broker);
      await end();
      for (const library of libraries) await play(survivalScenarios.check, library, broker);
    });
  }
});
