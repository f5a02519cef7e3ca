import type { ErrorKey, NodeLimits } from '@chapar/core';
import type { MethodInput } from '../../packages/amqp091/src/codec/index.js';
import type { SimNode } from './sim-node.js';
import type { SimPeer, SimPeerOptions } from './sim-peer.js';

/** How an entry of the error registry is provoked, and what the peer is then told. */
export interface ErrorCase {
  /** What stands behind `CODE_NAME - `. */
  readonly text: string | RegExp;
  /** Class and method that the close names. */
  readonly method: readonly [classId: number, methodId: number];
  readonly limits?: Partial<NodeLimits>;
  readonly peer?: SimPeerOptions;
  /** Before anybody but the bystander is connected. */
  readonly prepare?: (node: SimNode) => Promise<void> | void;
  /** Provokes it on channel 1 of an open connection whose channel 2 is open as well. */
  readonly provoke?: (peer: SimPeer, node: SimNode) => Promise<void> | void;
  /** Provokes it before the connection is open, and returns who did. */
  readonly inHandshake?: (node: SimNode) => Promise<SimPeer>;
  /** The peer does not listen, so that only the log is told. */
  readonly isSilent?: boolean;
  /** The node cannot take messages afterwards: a disk that failed. */
  readonly leavesNodeSick?: boolean;
}

export type ErrorCases = { readonly [Key in ErrorKey]?: ErrorCase };

/** Sends these on channel 1, one after another without waiting. */
export function saying(...methods: readonly MethodInput[]): (peer: SimPeer) => void {
  return (peer) => {
    for (const method of methods) peer.send(1, method);
  };
}

/** A content header of class basic that announces `bytes`, without properties. */
export function contentHeader(bytes: number, classId = 60): Buffer {
  const payload = Buffer.alloc(14);
  payload.writeUInt16BE(classId, 0);
  payload.writeBigUInt64BE(BigInt(bytes), 4);
  return payload;
}
