// The stories that the examples tell: which programs run, in which order, and what must come of it. The demo plays them
// for people, and the interop tests play them in Node, in Python, and with both mixed.
//
// A story gets `start(name, ...arguments)`, which starts examples/<language>/<name>, and the `broker`.
import { strict as assert } from 'node:assert';

export const stories = [
  {
    name: 'tasks, sender first',
    tells: 'The sender leaves tasks in a durable queue and goes home; a slow worker starts later and misses nothing.',
    async play({ start }) {
      await start('tasks-send').finished();
      const worker = await start('tasks-receive').finished();
      expectInOrder(
        worker,
        [1, 2, 3, 4, 5].map((number) => `got task ${number} of 5`),
      );
    },
  },
  {
    name: 'tasks, receiver first',
    tells: 'The other way round: the slow worker waits, and takes one task at a time.',
    async play({ start }) {
      const worker = start('tasks-receive');
      await worker.saw('waiting for tasks');
      await start('tasks-send').finished();
      await worker.finished();
      expectInOrder(
        worker,
        [1, 2, 3, 4, 5].map((number) => `got task ${number} of 5`),
      );
      const look = await start('queue-look', 'tasks').finished();
      expect(look, 'queue tasks: 0 messages, 0 consumers');
    },
  },
  {
    name: 'sharing evenly',
    tells: 'Two consumers share one queue.',
    async play({ start }) {
      expect(await start('share-evenly').finished(), 'Anna did 5, Ben did 5');
    },
  },
  {
    name: 'log for everybody',
    tells: 'Two listeners hear every log line, each through a queue that vanishes with its connection.',
    async play({ start }) {
      const listeners = [start('log-receive'), start('log-receive')];
      for (const listener of listeners) await listener.saw('listening with the queue');
      await start('log-emit').finished();
      const queues = new Set();
      for (const listener of listeners) {
        await listener.finished();
        expectInOrder(listener, ['heard log line 1', 'heard log line 2', 'heard log line 3']);
        queues.add(/with the queue (\S+)/.exec(listener.output)[1]);
      }
      assert.equal(queues.size, 2, 'each listener has a queue of its own');
      for (const queue of queues) {
        expect(await start('queue-look', queue).finished(), `there is no queue ${queue}`);
      }
    },
  },
  {
    name: 'log by topic',
    tells: 'One listener wants "#.notImportant", the other "*.*.important".',
    async play({ start }) {
      const idle = start('topic-receive', '--count', '3', '#.notImportant');
      const busy = start('topic-receive', '--count', '2', '*.*.important');
      await idle.saw('listening');
      await busy.saw('listening');
      await start('topic-emit').finished();
      await idle.finished();
      await busy.finished();
      assert.deepEqual(heard(idle), ['notImportant', 'shop.web.eu.notImportant', 'shop.till.notImportant']);
      assert.deepEqual(heard(busy), ['kernel.disk.important', 'shop.till.important']);
    },
  },
  {
    name: 'headers',
    tells: 'Documents find their queue by their headers: all of them, or any.',
    async play({ start }) {
      expect(await start('headers-match').finished(), 'every document went where it belongs');
    },
  },
  {
    name: 'question and answer',
    tells: 'A service adds one; the answers come to a queue of the client.',
    async play({ start }) {
      const server = start('rpc-server', '--count', '3');
      const client = await start('rpc-client', '1', '41', '99').finished();
      expectInOrder(client, ['1 + 1 = 2', '41 + 1 = 42', '99 + 1 = 100']);
      await server.finished();
    },
  },
  {
    name: 'question and direct answer',
    tells: 'The same through direct reply-to, without any queue for the answers.',
    async play({ start }) {
      const server = start('rpc-server', '--count', '2');
      const client = await start('rpc-client', '--direct', '7', '0').finished();
      expectInOrder(client, ['7 + 1 = 8', '0 + 1 = 1']);
      await server.finished();
    },
  },
  {
    name: 'chat rooms',
    tells: 'Alice and Bob meet in rooms; nobody can speak in the name of another.',
    needsUsers: true,
    async play({ start, broker }) {
      const [alice, bob] = await arrive(start, broker, 'chat-rooms');
      await say(alice, '/join kitchen', alice, 'alice joined kitchen');
      await say(bob, '/join garden', bob, 'bob joined garden');
      await say(alice, 'is anybody here?', alice, '[kitchen] alice: is anybody here?');
      await say(bob, '/switch kitchen', bob, 'bob joined kitchen');
      await say(bob, 'I am', alice, '[kitchen] bob: I am');
      await bob.saw('[kitchen] bob: I am');
      await say(alice, '/pretend bob I am a fool', alice, "user_id property set to 'bob'");
      await say(bob, '/leave', bob, 'bob left kitchen');
      await say(alice, 'gone already?', alice, '[kitchen] alice: gone already?');
      await leave(alice, bob);
      assert.doesNotMatch(bob.output, /is anybody here|gone already/, 'Bob heard what he was not there for');
      assert.doesNotMatch(alice.output, /bob: I am a fool/);
    },
  },
  {
    name: 'chat for all',
    tells: 'What one says, everybody hears.',
    needsUsers: true,
    async play({ start, broker }) {
      const [alice, bob] = await arrive(start, broker, 'chat-all');
      await say(alice, 'hello all', bob, 'alice: hello all');
      await say(bob, 'hello Alice', alice, 'bob: hello Alice');
      await leave(alice, bob);
    },
  },
  {
    name: 'picture upload',
    tells: 'A picture of 100 KiB goes to a thumbnailer and to a face finder at once.',
    async play({ start }) {
      const workers = [start('image-thumbnailer'), start('image-face-finder')];
      const upload = await start('image-upload', '--faces', '4').finished();
      expect(upload, 'the thumbnailer made 26 x 21');
      expect(upload, 'the face finder found 4 faces');
      for (const worker of workers) await worker.finished();
    },
  },
  {
    name: 'killed consumer',
    tells: 'A worker dies with a job in its hands; another gets the job, flagged as redelivered.',
    async play({ start }) {
      const program = await start('killed-consumer').finished();
      expectInOrder(program, ['the victim got a dangerous job', 'the heir got a dangerous job, redelivered: yes']);
    },
  },
  {
    name: 'unroutable',
    tells: 'A mandatory message that no queue wants comes back.',
    async play({ start }) {
      expect(await start('unroutable').finished(), '312 NO_ROUTE');
    },
  },
  {
    name: 'surviving a restart and a kill -9',
    tells: 'Persistent messages outlive their broker.',
    needsRestart: true,
    async play({ start, broker, note }) {
      await start('survivor-send').finished();
      await broker.restart();
      note('(the broker was stopped and started again)');
      await start('survivor-receive').finished();
      await start('survivor-send').finished();
      await broker.kill9();
      await broker.restart();
      note('(the broker was killed with SIGKILL and started again)');
      await start('survivor-receive').finished();
    },
  },
];

function expect(program, text) {
  assert.ok(
    program.output.includes(text),
    `${program.title} should have printed "${text}", but printed:\n${program.output}`,
  );
}

function expectInOrder(program, texts) {
  const places = texts.map((text) => program.output.indexOf(text));
  const inOrder = places.every((place, at) => place >= 0 && (at === 0 || place > places[at - 1]));
  assert.ok(
    inOrder,
    `${program.title} should have printed, in this order:\n${texts.join('\n')}\nbut printed:\n${program.output}`,
  );
}

function heard(program) {
  return [...program.output.matchAll(/heard ([\w.]+):/g)].map(([, key]) => key);
}

async function arrive(start, broker, program) {
  const people = [];
  for (const name of ['alice', 'bob']) {
    await broker.addUser(name, `${name}-secret`);
    const person = start(program, '--user', name, '--password', `${name}-secret`);
    await person.saw(`${name} is here`);
    people.push(person);
  }
  return people;
}

async function say(speaker, line, listener, expected) {
  speaker.type(line);
  await listener.saw(expected);
}

async function leave(...people) {
  for (const person of people) {
    person.type('/quit');
    await person.finished();
  }
}
