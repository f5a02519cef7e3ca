import { type Arguments, shownValue } from '../arguments.js';
import type { ArgumentFault, ExchangeType } from './router.js';

const typeArgument = 'x-delayed-type';

/** Messages with the header `x-delay` wait first; then they are routed as by an exchange of the type that an argument names, one of `types`. */
export function delayedMessageType(types: readonly ExchangeType[]): ExchangeType {
  const typeIn = (args: Arguments) => types.find(({ name }) => name === args[typeArgument]);

  function invalidArguments(args: Arguments): ArgumentFault | null {
    const type = typeIn(args);
    if (type !== undefined) return type.invalidArguments?.(args) ?? null;
    const names = types.map(({ name }) => name).join(', ');
    return {
      argument: typeArgument,
      reason: `expected a type of exchange (${names}), got ${shownValue(args[typeArgument])}`,
    };
  }

  return {
    name: 'x-delayed-message',
    description: 'with the header x-delay after so many milliseconds, as x-delayed-type',
    delays: true,
    comparedArguments: [typeArgument, ...types.flatMap(({ comparedArguments = [] }) => comparedArguments)],
    invalidArguments,
    invalidBinding: (routingKey, args, declared) =>
      typeIn(declared)?.invalidBinding?.(routingKey, args, declared) ?? null,
    create: (args, random) => typeIn(args)!.create(args, random),
  };
}
