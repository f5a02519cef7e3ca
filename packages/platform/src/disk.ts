/** An open file that is written at explicit offsets and synced. One writer; calls may overlap, completions come in any order. */
export interface DiskFile {
  readonly path: string;
  /** Size in bytes when it was opened or created. */
  readonly bytesAtOpen: number;
  /** Writes `parts` one after another from byte `offset`; `done` gets null, or the error (nothing may be assumed about what was written then). */
  writev(parts: readonly Buffer[], offset: number, done: (error: Error | null) => void): void;
  /** fdatasync. */
  sync(done: (error: Error | null) => void): void;
  /** Reads up to `bytes` from `offset`; a shorter buffer means the file's end. */
  read(offset: number, bytes: number): Promise<Buffer>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/** An exclusive lock on a directory, held until released or until the process dies. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** Raised by `lock` when another process holds the directory. */
export class DirectoryLockedError extends Error {
  /** Process id of the holder where it is known. */
  readonly holderPid: number | null;
  constructor(path: string, holderPid: number | null) {
    super(`directory ${path} is in use by another broker${holderPid === null ? '' : ` (process ${holderPid})`}`);
    this.holderPid = holderPid;
  }
}

/** Files and directories, by absolute paths. Errors are the `Error`s of node:fs with their `code` (ENOENT, ENOSPC, ...). */
export interface Disk {
  /** Opens for reading and writing; creates the file when `create` is set and it is absent (its name is durable after `syncDirectory`). */
  open(path: string, options: { create: boolean }): Promise<DiskFile>;
  readFile(path: string): Promise<Buffer>;
  /** Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the directory: all or nothing, also across a power cut. */
  replaceFile(path: string, content: Buffer, options?: { mode?: number }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Names in the directory, sorted; an absent directory throws ENOENT. */
  list(directory: string): Promise<string[]>;
  /** Creates the directory and its parents, durably. */
  makeDirectory(directory: string): Promise<void>;
  /** Makes renames, creations and removals in the directory durable. */
  syncDirectory(directory: string): Promise<void>;
  freeBytes(directory: string): Promise<number>;
  /** Takes the directory for this process; throws DirectoryLockedError. A lock left by a process that died is taken over. */
  lock(directory: string): Promise<DirectoryLock>;
}
