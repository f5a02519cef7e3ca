import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const sources = ['../../durability/sync-shim.c', 'clock-shim.c'];

/** Libraries that are preloaded into brokers, so that their syncs and their clocks do what we want; see machine.ts. */
export class Shims {
  /** For LD_PRELOAD. */
  readonly preload: string;
  private readonly directory: string;

  private constructor(directory: string, libraries: readonly string[]) {
    this.directory = directory;
    this.preload = libraries.join(':');
  }

  /** Throws where there is no compiler. */
  static compile(): Shims {
    const directory = mkdtempSync(join(tmpdir(), 'chapar-shims-'));
    const libraries = sources.map((source, i) => {
      const library = join(directory, `shim${i}.so`);
      const file = fileURLToPath(new URL(source, import.meta.url));
      const compiled = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, file, '-ldl']);
      if (compiled.error !== undefined) throw compiled.error;
      if (compiled.status !== 0) throw new Error(`${source} cannot be compiled: ${String(compiled.stderr)}`);
      return library;
    });
    return new Shims(directory, libraries);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Why there are none here; null when there are. */
export function whyNoShims(): string | null {
  if (process.platform !== 'linux') return 'libraries are preloaded on Linux only';
  try {
    Shims.compile().remove();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
