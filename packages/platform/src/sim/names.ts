import { dirname } from 'node:path';
import type { CrashKeep } from './inode.js';
import { Inode } from './inode.js';
import type { SimRandom } from './random.js';
import { systemError } from './system-error.js';

/** A directory has no content of its own here: its names are the paths that lie in it. */
export type Entry = Inode | 'directory';

/** A change of names that waits for a sync of its directory. A rename over two directories waits in both. */
interface NameChange {
  readonly removed: string | null;
  readonly added: string | null;
  readonly entry: Entry;
}

/**
 * The names of files and directories: those that one sees, and those that would be left without power. A name becomes
 * durable when its directory is synced, whatever was done to the file (POSIX promises no more); a rename is whole or not at all.
 */
export class Names {
  private visible = new Map<string, Entry>([['/', 'directory']]);
  private durable = new Map<string, Entry>([['/', 'directory']]);
  private unsynced: NameChange[] = [];

  get(path: string): Entry | undefined {
    return this.visible.get(path);
  }

  file(path: string, syscall: string): Inode {
    const entry = this.visible.get(path);
    if (entry === undefined) throw systemError('ENOENT', syscall, path);
    if (entry === 'directory') throw systemError('EISDIR', syscall, path);
    return entry;
  }

  requireDirectory(path: string, syscall: string): void {
    const entry = this.visible.get(path);
    if (entry === undefined) throw systemError('ENOENT', syscall, path);
    if (entry !== 'directory') throw systemError('ENOTDIR', syscall, path);
  }

  list(directory: string): string[] {
    this.requireDirectory(directory, 'scandir');
    const prefix = directory === '/' ? '/' : `${directory}/`;
    const names: string[] = [];
    for (const path of this.visible.keys()) {
      const name = path.slice(prefix.length);
      if (path.startsWith(prefix) && name !== '' && !name.includes('/')) names.push(name);
    }
    return names.sort();
  }

  createFile(path: string): Inode {
    this.requireDirectory(dirname(path), 'open');
    const inode = new Inode();
    this.change({ removed: null, added: path, entry: inode });
    return inode;
  }

  /** Durable at once, as `Disk.makeDirectory` promises. */
  createDirectories(path: string): void {
    const entry = this.visible.get(path);
    if (entry === 'directory') return;
    if (entry !== undefined) throw systemError('EEXIST', 'mkdir', path);
    this.createDirectories(dirname(path));
    this.visible.set(path, 'directory');
    this.durable.set(path, 'directory');
  }

  rename(from: string, to: string): void {
    const inode = this.file(from, 'rename');
    this.requireDirectory(dirname(to), 'rename');
    if (this.visible.get(to) === 'directory') throw systemError('EISDIR', 'rename', to);
    if (from !== to) this.change({ removed: from, added: to, entry: inode });
  }

  remove(path: string): void {
    const inode = this.file(path, 'unlink');
    this.change({ removed: path, added: null, entry: inode });
  }

  sync(directory: string): void {
    this.requireDirectory(directory, 'fsync');
    const [here, elsewhere] = [[] as NameChange[], [] as NameChange[]];
    for (const change of this.unsynced) (touches(change, directory) ? here : elsewhere).push(change);
    this.unsynced = elsewhere;
    for (const change of here) make(this.durable, change);
  }

  crash(keep: CrashKeep, random: SimRandom): void {
    for (const change of this.unsynced) {
      if (keep === 'everything' || (keep === 'some' && random.chance(0.5))) make(this.durable, change);
    }
    this.unsynced = [];
    this.visible = new Map(this.durable);
    for (const entry of new Set(this.visible.values())) if (entry !== 'directory') entry.crash(keep, random);
  }

  /** The same names and contents, all of it durable. */
  copy(): Names {
    const copies = new Map<Inode, Inode>();
    const copied = (entry: Entry): Entry => {
      if (entry === 'directory') return entry;
      const copy = copies.get(entry) ?? entry.copy();
      copies.set(entry, copy);
      return copy;
    };
    const names = new Names();
    names.visible = new Map([...this.visible].map(([path, entry]) => [path, copied(entry)]));
    names.durable = new Map(names.visible);
    return names;
  }

  /** Each file once, whatever it is called. */
  files(): Set<Inode> {
    return new Set([...this.visible.values()].filter((entry) => entry !== 'directory'));
  }

  private change(change: NameChange): void {
    this.unsynced.push(change);
    make(this.visible, change);
  }
}

function touches(change: NameChange, directory: string): boolean {
  return [change.removed, change.added].some((path) => path !== null && dirname(path) === directory);
}

function make(names: Map<string, Entry>, change: NameChange): void {
  // Only its own entry goes: the name may belong to another file by now where changes survive a crash in any selection.
  if (change.removed !== null && names.get(change.removed) === change.entry) names.delete(change.removed);
  if (change.added !== null) names.set(change.added, change.entry);
}
