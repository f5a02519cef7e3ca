import { Loopback } from './loopback.js';
import { Namespaces, whyNoNamespaces } from './namespaces.js';
import type { Place } from './place.js';

/** Where the programs of a test live, and the ways between them. */
export interface Landscape {
  /** Why ways cannot be cut here; null when they can. */
  readonly whyNoCuts: string | null;
  /** Where the test itself and its clients are. */
  readonly here: Place;
  place(name: string): Promise<Place>;
  /** From now on nothing that `from` sends arrives at `to`: silently, on connections that stand as well. */
  cut(from: Place, to: Place): void;
  heal(from: Place, to: Place): void;
  /** For a moment whoever of the two sends to the other learns that there is no such connection: those that stand break on both sides. */
  breakConnections(one: Place, other: Place): Promise<void>;
  /** All ways are open again. */
  healAll(): void;
  /** Every program in it must have ended. */
  close(): Promise<void>;
}

/** Network namespaces where we may make them, ports of the loopback otherwise. */
export function openLandscape(): Promise<Landscape> {
  return whyNoNamespaces === null ? Namespaces.open() : Promise.resolve(new Loopback(whyNoNamespaces));
}

/** Both ways. */
export function part(landscape: Landscape, one: Place, other: Place): void {
  landscape.cut(one, other);
  landscape.cut(other, one);
}
