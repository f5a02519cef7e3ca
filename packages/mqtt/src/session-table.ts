import type { KeyedArrival, KeyedReader, Position } from '@chapar/core';
import { markKey, type SessionKey, sessionKey, sessionKeyOf } from './session-keys.js';

/** Which process has a session, and which of its owners that is. A type, so that it is JSON. */
export type Owner = {
  /** The data id of its node. */
  readonly node: string;
  readonly process: string;
  /** It has had so many before and with this one. */
  readonly count: number;
  /** Whose client identifier it is. */
  readonly user: string;
};

export interface Standing<T> {
  readonly position: Position;
  readonly value: T;
}

/** A will that is due and was perhaps published. */
export interface DueWill {
  readonly position: Position;
  readonly value: Buffer;
  /** Whose it is to publish it. */
  readonly process: string;
}

/** What is known of one client's session. */
class Row {
  owner: Standing<Owner> | null = null;
  record: Standing<Buffer> | null = null;
  /** Packet identifiers of QoS 2, by their keys; null: there are none. */
  ids: Map<string, Standing<Buffer>> | null = null;

  /** It was kept by a node that was alone, and is in the log of the cluster by now. */
  get isUnowned(): boolean {
    return this.owner === null && this.record !== null;
  }

  get isEmpty(): boolean {
    return this.owner === null && this.record === null && (this.ids === null || this.ids.size === 0);
  }
}

/** The sessions of all nodes, as this one's fold of their log has them. */
export class SessionTable implements KeyedReader {
  private readonly rows = new Map<string, Row>();
  /** By their keys. Of sessions that are over, too. */
  readonly dueWills = new Map<string, DueWill>();
  /** Which wills those are, by session. */
  readonly dueOf = new Map<string, Set<string>>();
  /** Processes that bring the sessions of a node that was alone, and where they say so. */
  readonly bringing = new Map<string, Position>();
  /** Which sessions each process has; of null, those that have no owner. */
  private readonly processes = new Map<string | null, Set<string>>();
  /** A session has another owner, or none any more. */
  onOwner: ((name: string, owner: Standing<Owner> | null) => void) | null = null;

  /** An identifier that came, or a will that is due, stands elsewhere, or nowhere (0). */
  onId: ((key: string, before: Position, position: Position) => void) | null = null;

  /** Of sessions that a node kept while it was alone. */
  arrival?: KeyedArrival;

  ownerOf(name: string): Standing<Owner> | null {
    return this.rows.get(name)?.owner ?? null;
  }

  recordOf(name: string): Buffer | null {
    return this.rows.get(name)?.record?.value ?? null;
  }

  /** Packet identifiers of a kind, with what was kept with each. */
  *idsOf(name: string, kind: 'i' | 'o'): Iterable<readonly [id: number, value: Buffer]> {
    for (const [key, { value }] of this.rows.get(name)?.ids ?? []) {
      const parts = sessionKeyOf(key);
      if (parts.kind === kind) yield [parts.id, value];
    }
  }

  /** All keys of a session but that of its owner. */
  keysOf(name: string): string[] {
    const row = this.rows.get(name);
    if (row === undefined) return [];
    const record = row.record === null ? [] : [sessionKey('s', name)];
    return [...record, ...(row.ids?.keys() ?? [])];
  }

  get count(): number {
    return this.rows.size;
  }

  /** Processes that have sessions. */
  *owners(): IterableIterator<string> {
    for (const process of this.processes.keys()) if (process !== null) yield process;
  }

  /** The sessions of a process; of null, those that have no owner. */
  namesOf(process: string | null): Iterable<string> {
    return this.processes.get(process) ?? [];
  }

  // ---- what the log says -------------------------------------------------------------------------------------------

  /** What belongs to one session stands in one shard, and its owner is what the others' conditions look at. */
  guardOf(key: string): string {
    return sessionKey('w', sessionKeyOf(key).name);
  }

  changed(key: string, value: Buffer | null, position: Position): Position {
    const parts = sessionKeyOf(key);
    if (parts.kind === 'd') return this.changedDue(key, value, position);
    const { name } = parts;
    if (parts.kind === 'm') return this.changedMark(name, value === null ? 0 : position);
    let row = this.rows.get(name);
    if (row === undefined) this.rows.set(name, (row = new Row()));
    const before = this.standingAt(row, key, parts)?.position ?? 0;
    const wasUnowned = row.isUnowned;
    if (parts.kind === 'w') this.setOwner(name, row, value, position);
    else if (parts.kind === 's') row.record = value === null ? null : { position, value };
    else if (value === null) row.ids?.delete(key);
    else {
      row.ids ??= new Map();
      row.ids.set(key, { position, value });
    }
    if (row.isUnowned !== wasUnowned) this.tally(null, name, row.isUnowned);
    if (row.isEmpty) this.rows.delete(name);
    if (parts.kind === 'i') this.onId?.(key, before, value === null ? 0 : position);
    return before;
  }

  private changedDue(key: string, value: Buffer | null, position: Position): Position {
    const before = this.dueWills.get(key)?.position ?? 0;
    const { name, will } = sessionKeyOf(key);
    const ofName = this.dueOf.get(name) ?? new Set();
    if (value === null) {
      this.dueWills.delete(key);
      ofName.delete(will);
      if (ofName.size === 0) this.dueOf.delete(name);
    } else {
      this.dueOf.set(name, ofName.add(will));
      const { process } = JSON.parse(value.toString()) as { readonly process: string };
      this.dueWills.set(key, { position, value, process });
    }
    this.onId?.(key, before, value === null ? 0 : position);
    return before;
  }

  private changedMark(process: string, position: Position): Position {
    const before = this.bringing.get(process) ?? 0;
    if (position === 0) this.bringing.delete(process);
    else this.bringing.set(process, position);
    return before;
  }

  private setOwner(name: string, row: Row, value: Buffer | null, position: Position): void {
    if (row.owner !== null) this.tally(row.owner.value.process, name, false);
    row.owner = value === null ? null : { position, value: JSON.parse(value.toString()) as Owner };
    if (row.owner !== null) this.tally(row.owner.value.process, name, true);
    this.onOwner?.(name, row.owner);
  }

  private tally(process: string | null, name: string, isThere: boolean): void {
    let names = this.processes.get(process);
    if (names === undefined) this.processes.set(process, (names = new Set()));
    if (isThere) names.add(name);
    else names.delete(name);
    if (names.size === 0) this.processes.delete(process);
  }

  positionOf(key: string): Position {
    const parts = sessionKeyOf(key);
    if (parts.kind === 'd') return this.dueWills.get(key)?.position ?? 0;
    if (parts.kind === 'm') return this.bringing.get(parts.name) ?? 0;
    const row = this.rows.get(parts.name);
    return row === undefined ? 0 : (this.standingAt(row, key, parts)?.position ?? 0);
  }

  /** What stands there; null: nothing. Not of the owner's key, nor of a mark. */
  valueAt(key: string): Buffer | null {
    const parts = sessionKeyOf(key);
    if (parts.kind === 'd') return this.dueWills.get(key)?.value ?? null;
    const row = this.rows.get(parts.name);
    if (row === undefined) return null;
    return (parts.kind === 's' ? row.record : row.ids?.get(key))?.value ?? null;
  }

  private standingAt(row: Row, key: string, { kind }: SessionKey): Standing<unknown> | null {
    if (kind === 'w') return row.owner;
    return kind === 's' ? row.record : (row.ids?.get(key) ?? null);
  }

  *entries(isWanted: (position: Position) => boolean): Iterable<{ readonly key: string; readonly position: Position }> {
    for (const [name, { owner, record, ids }] of this.rows) {
      if (owner !== null && isWanted(owner.position)) yield { key: sessionKey('w', name), position: owner.position };
      if (record !== null && isWanted(record.position)) yield { key: sessionKey('s', name), position: record.position };
      for (const [key, { position }] of ids ?? []) if (isWanted(position)) yield { key, position };
    }
    for (const [key, { position }] of this.dueWills) if (isWanted(position)) yield { key, position };
    for (const [process, position] of this.bringing) if (isWanted(position)) yield { key: markKey(process), position };
  }
}
