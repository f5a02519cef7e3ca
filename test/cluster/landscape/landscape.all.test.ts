import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { skipUnless } from '../../support/skip.js';
import { type Landscape, openLandscape, part } from './landscape.js';
import { whyNoNamespaces } from './namespaces.js';
import type { Place } from './place.js';

const noNamespaces = skipUnless(whyNoNamespaces === null, whyNoNamespaces ?? '');

const echo = `require('node:net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(4000, process.argv[1], () => console.log('up'))`;

async function withLandscape(play: (landscape: Landscape) => Promise<void>): Promise<void> {
  const landscape = await openLandscape();
  try {
    await play(landscape);
  } finally {
    await landscape.close();
  }
}

/** A server at one place, and a question asked from another; null when no answer comes in time. */
async function serve(place: Place): Promise<{ stop: () => Promise<void> }> {
  const child = spawn(place.wrapper[0]!, [...place.wrapper.slice(1), process.execPath, '-e', echo, place.host]);
  await once(child.stdout, 'data');
  return {
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function ask(from: Place, to: Place): string {
  const client = `
    const socket = require('node:net').connect(4000, process.argv[1], () => socket.write('hello'));
    socket.on('data', (text) => { console.log(String(text)); process.exit(); });
    socket.on('error', (error) => { console.log(error.code); process.exit(); });
    setTimeout(() => { console.log('silence'); process.exit(); }, 1000);`;
  const command = [...from.wrapper, process.execPath, '-e', client, to.host];
  return spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' }).stdout.trim();
}

test.skipIf(noNamespaces)('ways are cut one way and both ways, silently, and healed', () =>
  withLandscape(async (landscape) => {
    const [a, b] = [await landscape.place('a'), await landscape.place('b')];
    const server = await serve(b);
    expect(ask(a, b)).toBe('hello');
    expect(ask(b, b)).toBe('hello');
    landscape.cut(a, b);
    expect(ask(a, b)).toBe('silence');
    landscape.heal(a, b);
    expect(ask(a, b)).toBe('hello');
    // The other way: what is asked arrives, the answer does not.
    landscape.cut(b, a);
    expect(ask(a, b)).toBe('silence');
    landscape.healAll();
    part(landscape, a, b);
    expect(ask(a, b)).toBe('silence');
    landscape.healAll();
    expect(ask(a, b)).toBe('hello');
    await server.stop();
    // The place lives on without its program, and says so at once.
    expect(ask(a, b)).toBe('ECONNREFUSED');
  }),
);

test.skipIf(noNamespaces)('a connection that stands falls silent too, and goes on when healed', () =>
  withLandscape(async (landscape) => {
    const place = await landscape.place('a');
    const server = await serve(place);
    const socket = connect(4000, place.host);
    let heard = '';
    socket.on('data', (text) => (heard += text));
    await once(socket, 'connect');
    socket.write('1');
    await sleep(200);
    landscape.cut(landscape.here, place);
    socket.write('2');
    await sleep(500);
    expect(heard).toBe('1');
    landscape.healAll();
    for (const deadline = Date.now() + 10_000; heard !== '12' && Date.now() < deadline; ) await sleep(20);
    expect(heard).toBe('12');
    socket.destroy();
    await server.stop();
  }),
);

test.skipIf(noNamespaces)('connections that stand are broken, and new ones are made', () =>
  withLandscape(async (landscape) => {
    const [a, b] = [await landscape.place('a'), await landscape.place('b')];
    const server = await serve(b);
    const talker = `
      const socket = require('node:net').connect(4000, process.argv[1], () => console.log('up'));
      setInterval(() => socket.write('x'), 5);
      socket.on('data', () => {});
      socket.on('error', (error) => { console.log(error.code); process.exit(); });
      setTimeout(() => process.exit(), 10_000);`;
    const [program, ...args] = [...a.wrapper, process.execPath, '-e', talker, b.host];
    const child = spawn(program!, args);
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    for (const deadline = Date.now() + 5000; !said.includes('up') && Date.now() < deadline; ) await sleep(20);
    const ended = once(child, 'exit');
    await landscape.breakConnections(a, b);
    await ended;
    expect(said).toMatch(/^up\n(ECONNRESET|EPIPE)\n$/);
    expect(ask(a, b)).toBe('hello');
    await server.stop();
  }),
);
