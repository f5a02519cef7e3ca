import { describe, expect, it } from 'vitest';
import { createNodeLog } from './log.js';

function capture(): { lines: string[]; write(line: string): void } {
  const lines: string[] = [];
  return { lines, write: (line) => void lines.push(line) };
}

describe('log', () => {
  it('writes a JSON object a line, with level, package, fields and message', () => {
    const destination = capture();
    const log = createNodeLog({ pretty: false, destination });
    log.of('amqp091').warn({ channel: 3, error: new TypeError('odd') }, 'channel closed');
    const line = JSON.parse(destination.lines[0]!);
    expect(line).toMatchObject({ level: 'warn', package: 'amqp091', channel: 3, msg: 'channel closed' });
    expect(line.error).toMatchObject({ type: 'TypeError', message: 'odd' });
  });

  it('has a level per package, whether above or below the common one', () => {
    const destination = capture();
    const log = createNodeLog({ pretty: false, destination, level: 'warn', levels: { store: 'debug', core: 'error' } });
    log.info({}, 'root info');
    log.of('store').debug({}, 'store debug');
    log.of('store').trace({}, 'store trace');
    log.of('core').warn({}, 'core warn');
    log.of('auth').warn({}, 'auth warn');
    expect(destination.lines.map((line) => JSON.parse(line).msg)).toEqual(['store debug', 'auth warn']);
    expect(log.of('store').isEnabled('debug')).toBe(true);
    expect(log.of('auth').isEnabled('info')).toBe(false);
  });

  it('makes one log per package', () => {
    const log = createNodeLog({ pretty: false, destination: capture() });
    expect(log.of('store')).toBe(log.of('store'));
    expect(log.of('store').of('core')).toBe(log.of('core'));
  });

  it('is silent when told so', () => {
    const destination = capture();
    const log = createNodeLog({ pretty: false, destination, level: 'silent' });
    log.error({}, 'nobody hears');
    expect(destination.lines).toEqual([]);
    expect(log.isEnabled('error')).toBe(false);
  });
});
