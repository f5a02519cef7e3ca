import type { Platform } from '../platform.js';
import { NodeClock } from './clock.js';
import { NodeDisk } from './disk.js';
import { NodeGauges } from './gauges.js';
import { createNodeLog, type NodeLog, type NodeLogOptions } from './log.js';
import { NodeNetwork } from './network.js';
import { NodeRandom } from './random.js';

export interface NodePlatformOptions {
  readonly log?: NodeLogOptions;
}

export interface NodePlatform extends Platform {
  readonly log: NodeLog;
}

/** The machine that this process runs on. */
export function createNodePlatform(options: NodePlatformOptions = {}): NodePlatform {
  return {
    clock: new NodeClock(),
    disk: new NodeDisk(),
    network: new NodeNetwork(),
    random: new NodeRandom(),
    gauges: new NodeGauges(),
    log: createNodeLog(options.log),
  };
}
