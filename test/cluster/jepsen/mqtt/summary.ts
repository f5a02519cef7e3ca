import type { MqttCounts } from './verdict.js';

/** What came of MQTT, in a line of its own. */
export function mqttSummary(counts: MqttCounts): string {
  const { published, again, acked, nacked, arrived, flagged, twice, groupTwice, late } = counts;
  const { connections, takenOver, wills, willsTwice, willsLost, reads, readsOld } = counts;
  const parts = [
    `mqtt published ${published} (${again} of them again)`,
    `acknowledged ${acked}, refused ${nacked}`,
    `arrived ${arrived}, with DUP ${flagged}, QoS 1 twice ${twice}`,
    `while something was wrong: late ${late}, QoS 2 twice to a group ${groupTwice}`,
    `connections ${connections}, ${takenOver} of them taken over`,
    `wills ${wills}, twice ${willsTwice}, lost ${willsLost}`,
    `retained messages read ${reads}, old ones while something was wrong ${readsOld}`,
  ];
  return `\n${parts.join('; ')}`;
}
