import { type Arguments, equalValues } from '../arguments.js';
import type { Binding } from './binding.js';
import type { ArgumentFault, ExchangeType, Router, Subject } from './router.js';

/** How the headers of a binding have to be found in a message; keys that begin with `x-` count only with the `-with-x` forms. */
const matches = ['all', 'any', 'all-with-x', 'any-with-x'] as const;
type Match = (typeof matches)[number];

interface Rule {
  readonly all: boolean;
  readonly fields: readonly (readonly [name: string, value: Arguments[string]])[];
}

/**
 * Headers decide (AMQP 0-9-1 §3.1.3.4 with RabbitMQ's forms of `x-match`). A binding value of void (null) asks for presence only.
 */
export class HeadersRouter implements Router {
  readonly decidesBy = 'message';
  private readonly rules = new Map<Binding, Rule>();

  add(binding: Binding): void {
    this.rules.set(binding, ruleOf(binding.arguments));
  }

  remove(binding: Binding): void {
    this.rules.delete(binding);
  }

  route(_routingKey: string, { headers }: Subject, match: (binding: Binding) => void): void {
    for (const [binding, rule] of this.rules) if (satisfies(headers, rule)) match(binding);
  }
}

/** `x-match` with a value that it cannot have. */
function invalidBinding(_routingKey: string, args: Arguments): ArgumentFault | null {
  const match = args['x-match'];
  if (match === undefined || matches.includes(match as Match)) return null;
  return { argument: 'x-match', reason: `expected all, any, all-with-x or any-with-x, got ${JSON.stringify(match)}` };
}

function ruleOf(args: Arguments): Rule {
  const match = (args['x-match'] ?? 'all') as Match;
  const withX = match.endsWith('-with-x');
  const fields = Object.entries(args).filter(([name]) => name !== 'x-match' && (withX || !name.startsWith('x-')));
  return { all: match.startsWith('all'), fields };
}

function satisfies(headers: Arguments, rule: Rule): boolean {
  for (const [name, wanted] of rule.fields) {
    const found = headers[name];
    const fits = found !== undefined && (wanted === null || equalValues(found, wanted));
    if (fits !== rule.all) return fits;
  }
  // No field decided: `all` of none holds, and so does it of those that all fitted; `any` of none does not.
  return rule.all;
}

export const headersType: ExchangeType = {
  name: 'headers',
  description: 'headers, all or any',
  invalidBinding,
  create: () => new HeadersRouter(),
};
