import { join } from 'node:path';
import { crc32c } from '@chapar/bytes';
import type { MetadataEntry, MetadataEvent } from '@chapar/core';
import type { Clock, Disk, Log, Timer } from '@chapar/platform';
import type { EtcdRevision } from '../etcd/etcd.js';
import type { Mirror } from '../mirror.js';
import { readIfPresent } from './directory-memory.js';

const FORMAT = 1;
const FILE_NAME = 'cluster-copy.jsonl';
/** What is kept: records that mean something without the nodes that were there. */
const rooms = ['forgotten/', 'members/', 'meta/'] as const;
/** After a change, and between two copies. Milliseconds. */
const waitMs = 1000;
/** A copy may take so much of the time: the next one waits this many times longer than it took. */
const idleFactor = 20;
/** Entries that are encoded in one go. */
const sliceEntries = 500;

/** A cluster's records as one node saw them. */
export interface StoredCopy {
  readonly cluster: string;
  readonly revision: EtcdRevision;
  /** Keys without the cluster's prefix, in no order. */
  readonly entries: readonly MetadataEntry[];
}

interface Header {
  readonly format: number;
  readonly cluster: string;
  readonly revision: EtcdRevision;
  readonly entries: number;
  /** CRC-32C of everything behind the first line. */
  readonly checksum: number;
}

/** Null: there is none. Throws when it cannot be read whole. */
export async function readMetadataCopy(disk: Disk, directory: string): Promise<StoredCopy | null> {
  const path = join(directory, FILE_NAME);
  const content = await readIfPresent(disk, path);
  if (content === null) return null;
  const end = content.indexOf(10) + 1;
  const header = parseHeader(path, content.toString('utf8', 0, end));
  const lines = content.subarray(end);
  if (crc32c(lines) !== header.checksum) throw new Error(`${path} is damaged`);
  const entries = lines
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [key, value, revision] = JSON.parse(line) as [string, MetadataEntry['value'], EtcdRevision];
      return { key, value, revision };
    });
  return { cluster: header.cluster, revision: header.revision, entries };
}

function parseHeader(path: string, line: string): Header {
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(line);
  } catch {
    header = null;
  }
  if (typeof header?.format !== 'number') throw new Error(`${path} is damaged`);
  if (header.format > FORMAT) {
    throw new Error(`${path} has format version ${header.format}; this broker reads versions up to ${FORMAT}`);
  }
  return header as Header;
}

/** Keeps a copy of the cluster's records in the data directory, for the day on which etcd has lost them. A little behind: it is written at most once a second. */
export class MetadataCopy {
  private readonly disk: Disk;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly directory: string;
  private readonly cluster: string;
  private readonly mirror: Mirror;
  private stopWatch: (() => void) | null = null;
  private timer: Timer | null = null;
  private writing: Promise<void> | null = null;
  /** What is kept; in no order, since ordering tens of thousands of keys once a second would hold up messages. */
  private readonly entries = new Map<string, MetadataEntry>();
  /** Changed since the copy that was written or is being written. */
  private isDirty = true;
  private hasFailed = false;
  private isClosed = false;

  constructor(
    world: { readonly disk: Disk; readonly clock: Clock; readonly log: Log },
    directory: string,
    cluster: string,
    mirror: Mirror,
  ) {
    this.disk = world.disk;
    this.clock = world.clock;
    this.log = world.log;
    this.directory = directory;
    this.cluster = cluster;
    this.mirror = mirror;
  }

  start(): void {
    for (const room of rooms) for (const entry of this.mirror.under(room)) this.entries.set(entry.key, entry);
    this.stopWatch = this.mirror.watch('', this.mirror.revision, (events) => {
      for (const event of events) this.keep(event);
    });
    this.plan(waitMs);
  }

  private keep({ key, value, revision }: MetadataEvent): void {
    if (!rooms.some((room) => key.startsWith(room))) return;
    if (value === undefined) this.entries.delete(key);
    else this.entries.set(key, { key, value, revision });
    this.isDirty = true;
    this.plan(waitMs);
  }

  /** Resolves when the last copy is written. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.stopWatch?.();
    this.timer?.cancel();
    await this.writing;
    if (this.isDirty) await this.write();
  }

  private plan(inMs: number): void {
    if (this.timer !== null || this.writing !== null || this.isClosed) return;
    this.timer = this.clock.after(inMs, () => {
      this.timer = null;
      this.writing = this.writeAndPlan();
    });
  }

  private async writeAndPlan(): Promise<void> {
    const beganMs = this.clock.monotonicMs();
    await this.write();
    this.writing = null;
    if (this.isDirty) this.plan(Math.max(waitMs, idleFactor * (this.clock.monotonicMs() - beganMs)));
  }

  private async write(): Promise<void> {
    this.isDirty = false;
    try {
      const content = await this.encode();
      await this.disk.replaceFile(join(this.directory, FILE_NAME), content);
      this.hasFailed = false;
    } catch (error) {
      // Nothing that is promised hangs on it; a disk that fails says so elsewhere too.
      if (!this.hasFailed)
        this.log.warn({ error }, 'the copy of the cluster metadata could not be written; tried again');
      this.hasFailed = true;
      this.isDirty = true;
    }
  }

  /** Of one revision, in slices: thousands of records must not hold up messages. */
  private async encode(): Promise<Buffer> {
    const { revision } = this.mirror;
    const entries = [...this.entries.values()];
    const lines: Buffer[] = [];
    for (let from = 0; from < entries.length; from += sliceEntries) {
      if (from > 0 && !this.isClosed) await new Promise<void>((resolve) => this.clock.endOfTurn(resolve));
      const slice = entries.slice(from, from + sliceEntries);
      lines.push(
        Buffer.from(slice.map((entry) => `${JSON.stringify([entry.key, entry.value, entry.revision])}\n`).join('')),
      );
    }
    const body = Buffer.concat(lines);
    const header: Header = {
      format: FORMAT,
      cluster: this.cluster,
      revision,
      entries: entries.length,
      checksum: crc32c(body),
    };
    return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body]);
  }
}
