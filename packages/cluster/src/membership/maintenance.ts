import type { JsonValue } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import type { Mirror } from '../mirror.js';
import type { Writer } from '../writer.js';
import type { Members } from './members.js';
import { type MaintenanceRecord, maintenanceKey, maintenancePrefix } from './records.js';

/**
 * Which nodes are being drained: nothing is placed there, and nobody is promoted there whom another one can stand in for. That ends with
 * the process: a node that starts again serves.
 */
export class Maintenance {
  private readonly mirror: Mirror;
  private readonly writer: Writer;
  private readonly clock: Clock;
  private readonly members: Members;
  private readonly self: { readonly dataId: string; readonly boot: string };
  /** Boots by data id: all marks, also those of processes that are gone. */
  private readonly marks = new Map<string, string>();

  constructor(
    world: { readonly mirror: Mirror; readonly writer: Writer; readonly clock: Clock; readonly members: Members },
    self: { readonly dataId: string; readonly boot: string },
  ) {
    this.mirror = world.mirror;
    this.writer = world.writer;
    this.clock = world.clock;
    this.members = world.members;
    this.self = self;
    for (const { key, value } of this.mirror.under(maintenancePrefix)) this.marked(key, value);
    this.mirror.watch(maintenancePrefix, this.mirror.revision, (events) => {
      for (const { key, value } of events) this.marked(key, value);
    });
  }

  private marked(key: string, value: JsonValue | undefined): void {
    const dataId = decodeURIComponent(key.slice(maintenancePrefix.length));
    if (value === undefined) this.marks.delete(dataId);
    else this.marks.set(dataId, (value as unknown as MaintenanceRecord).boot);
  }

  /** By data id. Only nodes that are registered. */
  get resting(): ReadonlySet<string> {
    if (this.marks.size === 0) return nobody;
    const boots = new Map(this.members.registrations().map(({ record }) => [record.dataId, record.boot]));
    return new Set([...this.marks].filter(([dataId, boot]) => boots.get(dataId) === boot).map(([dataId]) => dataId));
  }

  get isHere(): boolean {
    return this.marks.get(this.self.dataId) === this.self.boot;
  }

  /** This node is being drained from now on. Rejects with EtcdError. */
  async begin(): Promise<void> {
    const record: MaintenanceRecord = { boot: this.self.boot, since: new Date(this.clock.wallMs()).toISOString() };
    await this.write(record as unknown as JsonValue);
  }

  /** This node takes its part again. Rejects with EtcdError. */
  end(): Promise<void> {
    return this.write(undefined);
  }

  private async write(value: JsonValue | undefined): Promise<void> {
    await this.writer.change([], [{ key: maintenanceKey(this.self.dataId), value }]);
  }
}

const nobody: ReadonlySet<string> = new Set();
