import {
  type Guard,
  GuardFailedError,
  type JsonValue,
  type MetadataEntry,
  metadataKeyParts,
  type QueueRecord,
} from '@chapar/core';
import type { Clock } from '@chapar/platform';
import type { Mirror } from '../mirror.js';
import { mirrorPath } from '../replication/mirror-records.js';
import type { MirrorRecord } from '../replication/record.js';
import { nodeKey, type RegistrationRecord } from '../session.js';
import type { Writer } from '../writer.js';
import { chunkKeysMax } from './bulk.js';
import {
  type ForgottenRecord,
  forgottenKey,
  type MemberRecord,
  maintenanceKey,
  memberKey,
  membersPrefix,
  metadataRoom,
  queuesPrefix,
} from './records.js';

/** A data directory that joined the cluster and was not forgotten. */
export interface Member {
  readonly dataId: string;
  /** The name under which it is registered, else that of its last start. */
  readonly node: string;
  /** When it joined, ISO 8601. */
  readonly joined: string;
  readonly starts: number;
  /** Its registration; null: it has none. */
  readonly live: {
    readonly session: number;
    readonly address: string;
    readonly versions: RegistrationRecord['versions'];
  } | null;
}

export interface LostQueue {
  readonly vhost: string;
  readonly name: string;
}

/** What the cluster loses with a member. */
export interface Losses {
  readonly dataId: string;
  readonly node: string;
  /** Queues whose only disk is its; with them go their messages. */
  readonly queues: readonly LostQueue[];
}

/** Raised for who cannot be forgotten. */
export class CannotForgetError extends Error {}

/** Everybody who ever joined, and how one leaves for good. */
export class Members {
  private readonly mirror: Mirror;
  private readonly writer: Writer;
  private readonly clock: Clock;

  constructor(mirror: Mirror, writer: Writer, clock: Clock) {
    this.mirror = mirror;
    this.writer = writer;
    this.clock = clock;
  }

  /** By name, then by data id. */
  list(): Member[] {
    const live = new Map(this.registrations().map((each) => [each.record.dataId, each]));
    const members = this.mirror.under(membersPrefix).map(({ key, value }): Member => {
      const dataId = decodeURIComponent(key.slice(membersPrefix.length));
      const { node, joined, starts } = value as unknown as MemberRecord;
      const registered = live.get(dataId);
      if (registered === undefined) return { dataId, node, joined, starts, live: null };
      const { address, versions } = registered.record;
      return {
        dataId,
        node: registered.node,
        joined,
        starts,
        live: { session: registered.session, address, versions },
      };
    });
    return members.sort((a, b) => (`${a.node} ${a.dataId}` < `${b.node} ${b.dataId}` ? -1 : 1));
  }

  /** The member whose disk has this data id. */
  get(dataId: string): Member | undefined {
    return this.list().find((member) => member.dataId === dataId);
  }

  /** Who is registered now. */
  registrations(): { readonly node: string; readonly session: number; readonly record: RegistrationRecord }[] {
    const prefix = nodeKey('');
    return this.mirror.under(prefix).map(({ key, value, revision }) => ({
      node: decodeURIComponent(key.slice(prefix.length)),
      session: revision,
      record: value as unknown as RegistrationRecord,
    }));
  }

  /** What forgetting this member would lose. Throws CannotForgetError when there is no such member, or several under that name. */
  losses(nameOrDataId: string): Losses {
    const { dataId, node } = this.find(nameOrDataId);
    return { dataId, node, queues: this.queuesOf(dataId).map(({ key }) => lostQueue(key)) };
  }

  /** The member leaves for good, and the queues whose only disk is its are deleted. Rejects with CannotForgetError while it is registered. */
  async forget(nameOrDataId: string): Promise<Losses> {
    const losses = this.losses(nameOrDataId);
    const { dataId, node } = losses;
    const member = this.mirror.get(memberKey(dataId));
    if (this.get(dataId)?.live) throw isLive(node);
    if (member !== undefined) {
      const forgotten: ForgottenRecord = { node, at: new Date(this.clock.wallMs()).toISOString() };
      await this.changeIfAway(
        node,
        [{ key: memberKey(dataId), revision: member.revision }],
        [
          { key: forgottenKey(dataId), value: forgotten as unknown as JsonValue },
          { key: memberKey(dataId), value: undefined },
          { key: maintenanceKey(dataId), value: undefined },
        ],
      );
    }
    // From here on it cannot come back: what it declares no more is all there is.
    await this.deleteQueues(dataId);
    return losses;
  }

  private async deleteQueues(dataId: string): Promise<void> {
    for (;;) {
      // A mirrored one has two records, which go together.
      const queues = this.queuesOf(dataId).slice(0, chunkKeysMax / 2);
      if (queues.length === 0) return;
      const records = queues.flatMap((queue) => [queue, ...this.copiesOf(queue)]);
      try {
        await this.writer.change(
          records.map(({ key, revision }) => ({ key, revision })),
          records.map(({ key }) => ({ key, value: undefined })),
        );
      } catch (error) {
        // Somebody deleted one of them meanwhile.
        if (!(error instanceof GuardFailedError)) throw error;
      }
    }
  }

  private async changeIfAway(
    node: string,
    guards: readonly Guard[],
    writes: Parameters<Writer['change']>[1],
  ): Promise<void> {
    // Another data directory may have the name by now.
    const registered = this.mirror.get(nodeKey(node));
    try {
      await this.writer.change([{ key: nodeKey(node), revision: registered?.revision ?? 'absent' }, ...guards], writes);
    } catch (error) {
      if (!(error instanceof GuardFailedError)) throw error;
      throw new CannotForgetError(`${node} began to change while it was being forgotten; look at it and try again`);
    }
  }

  private find(nameOrDataId: string): { readonly dataId: string; readonly node: string } {
    const members = this.list();
    const byId = members.find(({ dataId }) => dataId === nameOrDataId);
    const found = byId === undefined ? members.filter(({ node }) => node === nameOrDataId) : [byId];
    const [only] = found;
    if (only === undefined) return this.findForgotten(nameOrDataId);
    if (found.length > 1) {
      const ids = found.map(({ dataId, live }) => (live === null ? dataId : `${dataId} (running)`));
      throw new CannotForgetError(
        `several data directories were started as ${nameOrDataId}; say which: ${ids.join(', ')}`,
      );
    }
    return only;
  }

  /** Half forgotten: the member is gone and some of its queues are not. */
  private findForgotten(dataId: string): { readonly dataId: string; readonly node: string } {
    const forgotten = this.mirror.get(forgottenKey(dataId));
    if (forgotten !== undefined) return { dataId, node: (forgotten.value as unknown as ForgottenRecord).node };
    throw new CannotForgetError(`no node of this cluster has the name or the data id ${dataId}`);
  }

  /** Those that are on its disk alone: the only one that they ever had, or the last that has a copy. */
  private queuesOf(dataId: string): MetadataEntry[] {
    return this.mirror.under(queuesPrefix).filter((queue) => {
      const { home } = queue.value as unknown as QueueRecord;
      if (home !== undefined) return home === dataId;
      return this.copiesOf(queue).some(({ value }) => {
        const { replicas } = value as unknown as MirrorRecord;
        return replicas.length === 1 && replicas[0] === dataId;
      });
    });
  }

  /** The record of a mirrored queue's copies. */
  private copiesOf({ value }: MetadataEntry): MetadataEntry[] {
    const { mirrored, incarnation } = value as unknown as QueueRecord;
    const copies = mirrored === true ? this.mirror.get(mirrorPath(incarnation)) : undefined;
    return copies === undefined ? [] : [copies];
  }
}

const isLive = (node: string): CannotForgetError =>
  new CannotForgetError(`${node} is running; stop it first: only a node that is gone can be forgotten`);

function lostQueue(key: string): LostQueue {
  const [, vhost, name] = metadataKeyParts(key.slice(metadataRoom.length)) as [string, string, string];
  return { vhost, name };
}
