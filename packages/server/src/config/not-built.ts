import { isKnownProtocol, isProtocol, protocols } from './protocols.js';

/**
 * Names that are settled but not built yet. They are refused by name rather than ignored: somebody who asks for STOMP and gets a
 * broker without it would find out much later.
 */
const sectionsToCome: Readonly<Record<string, string>> = {
  metrics: 'the metrics listener',
  stomp: 'STOMP',
  zmtp: 'ZeroMQ sockets',
  tracing: 'tracing',
};

const keysToCome: Readonly<Record<string, string>> = {
  'auth.ldap': 'the LDAP back end',
  'auth.http': 'the HTTP back end',
  'auth.oauth2': 'the OAuth 2 back end',
  'auth.backends': 'other back ends than the internal one',
  'listeners.zmtp': 'ZeroMQ sockets',
};

/** What a key asks for that is not built yet, in words; undefined when it is built or unknown. */
export function toCome(key: string): string | undefined {
  const [section = '', name = ''] = key.split('.');
  if (Object.hasOwn(sectionsToCome, section)) return sectionsToCome[section];
  if (section === 'listeners' && isKnownProtocol(name) && !isProtocol(name)) return `the protocol ${name}`;
  const twoDeep = `${section}.${name}`;
  return Object.hasOwn(keysToCome, twoDeep) ? keysToCome[twoDeep] : undefined;
}

/** What to tell somebody who asked for something to come. */
export function notBuiltText(what: string): string {
  return `not built yet: ${what}`;
}

export const builtProtocolsText = `This version speaks ${protocols.join(', ')}.`;
