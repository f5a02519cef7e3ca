// The one place where topics and routing keys meet: `/` <-> `.`, `+` <-> `*`, `#` stays; what a level has of `. * # %` is percent-encoded
// in the key and decoded again, and what a key's word has of `/ + #` and of NUL, which no topic may have, is so in the topic. Between MQTT clients
// a topic goes through both ways and comes out as it went in.
import { Address } from '@chapar/core';

const inKeyOnly = /[.*#%]/g;
const encodedInKey = /%(?:2E|2A|23|25)/g;
const notInTopic = /[/+#\0]/g;

const hex: { readonly [character: string]: string } = {
  '.': '%2E',
  '*': '%2A',
  '#': '%23',
  '%': '%25',
  '/': '%2F',
  '+': '%2B',
  '\0': '%00',
};
const plain: { readonly [code: string]: string } = { '%2E': '.', '%2A': '*', '%23': '#', '%25': '%' };

/** A topic name as a routing key. */
export function routingKeyOf(topic: string): string {
  return topic.replace(inKeyOnly, (character) => hex[character]!).replaceAll('/', '.');
}

/** A topic filter as a binding key. */
export function bindingKeyOf(filter: string): string {
  return filter
    .split('/')
    .map((level) => (level === '+' ? '*' : level === '#' ? '#' : routingKeyOf(level)))
    .join('.');
}

/** The topic that a routing key stands for. Empty for the empty key, which is no topic. */
export function topicOf(routingKey: string): string {
  const topic = routingKey.replace(notInTopic, (character) => hex[character]!).replaceAll('.', '/');
  return topic.includes('%') ? topic.replace(encodedInKey, decoded) : topic;
}

/** `%23` in a key stands for `#` that the key's own rules could not have had: it would be no topic, and stays as it is. */
function decoded(code: string): string {
  return code === '%23' ? code : plain[code]!;
}

/** The topic of what was published to an address, in UTF-8: the same object each time. */
export function topicBytesOf(address: Address): Buffer {
  return (address.topic ??= Buffer.from(topicOf(address.routingKey)));
}

/** Of messages that go out by their topic and have no address of their own, which would cost more than all the rest of them. */
export const passing = new Address('', '');

/** What `passing` stands for from now on, until the next one. */
export function passes(topic: string): void {
  passing.topic = Buffer.from(topic);
}
