/** What this process takes of its machine's memory, and what there is to take. Read often, so nothing here waits. */
export interface Gauges {
  /** Resident bytes of this process, whatever they are used for. */
  rssBytes(): number;
  /** What the engine knows to be in use: its heap, and what lies outside of it in buffers. The rest of the resident bytes is code, stacks and what the allocator keeps for later. */
  inUseBytes(): number;
  /** The heap of the JavaScript engine: in use, and where the engine gives up and ends the process. Bytes. */
  heap(): { readonly usedBytes: number; readonly limitBytes: number };
  /** What the process may have: the machine's memory or the limit of its cgroup, whichever is smaller. Bytes. */
  memoryBytes(): number;
  /** Frees what nothing refers to any more. A process that has nothing to do would not find out by itself. Takes as long as the heap is large. */
  collectGarbage(): void;
}
