import { MqttError } from './codec/error.js';
import { REASON } from './codec/reason.js';

/** A shared subscription's filter (§4.8.2): `$share/{group}/{filter}`. */
export interface SharedFilter {
  readonly group: string;
  readonly filter: string;
}

const sharePrefix = '$share/';
const systemPrefix = '$SYS/';
const bridgesPrefix = '$SYS/broker/connection/';

/** The broker's own topics; not those where bridges, such as Mosquitto's, tell whether they are connected. */
export function isSystemTopic(topicOrFilter: string): boolean {
  return topicOrFilter.startsWith(systemPrefix) && !topicOrFilter.startsWith(bridgesPrefix);
}

/** [MQTT-4.7.1-1], [MQTT-4.7.3-1]: at least one character, no wildcards. */
export function isTopicName(topic: string): boolean {
  return topic !== '' && !topic.includes('#') && !topic.includes('+');
}

/** `#` only as the whole last level, `+` only as a whole level. [MQTT-4.7.1-1], [MQTT-4.7.1-2] */
export function isTopicFilter(filter: string): boolean {
  if (filter === '') return false;
  if (!filter.includes('#') && !filter.includes('+')) return true;
  const levels = filter.split('/');
  return levels.every((level, at) => {
    if (level === '+') return true;
    if (level === '#') return at === levels.length - 1;
    return !level.includes('#') && !level.includes('+');
  });
}

/** Null for a filter of one client alone. Throws 0x8F for a share name that is none. [MQTT-4.8.2-1], [MQTT-4.8.2-2] */
export function sharedFilter(filter: string): SharedFilter | null {
  if (!filter.startsWith(sharePrefix)) return null;
  const end = filter.indexOf('/', sharePrefix.length);
  const group = end === -1 ? '' : filter.slice(sharePrefix.length, end);
  const inner = end === -1 ? '' : filter.slice(end + 1);
  if (group === '' || /[+#]/.test(group) || !isTopicFilter(inner))
    throw new MqttError(REASON.filterInvalid, `'${filter}' is no shared subscription`);
  return { group, filter: inner };
}

/** Topics of the broker and of others' private use are no match for a wildcard in the first level. [MQTT-4.7.2-1] */
export function beginsWithWildcard(filter: string): boolean {
  return filter.startsWith('#') || filter.startsWith('+');
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('#') || filter.includes('+');
}

/** Whether a topic matches a filter (§4.7), level by level. */
export function matchesFilter(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]!.startsWith('$') && (filter[0] === '#' || filter[0] === '+')) return false;
  for (let at = 0; at < filter.length; at++) {
    const wanted = filter[at]!;
    if (wanted === '#') return true;
    if (at >= topic.length) return false;
    if (wanted !== '+' && wanted !== topic[at]) return false;
  }
  return filter.length === topic.length;
}
