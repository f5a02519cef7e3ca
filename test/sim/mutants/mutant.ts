/** A fault that somebody could make in the product, planted at run time: the simulator must find it. */
export interface Mutant {
  /** What is wrong with it, in words. */
  readonly name: string;
  /** The scenario in which it is looked for, and within how many seeds it must be found. */
  readonly scenario: string;
  readonly seedsMax: number;
  /** Makes the fault; returns what takes it back. */
  plant(): () => void;
}

/** Replaces a method of a class, whatever the compiler says of who may see it. `make` gets the original. */
export function replace<T extends object>(
  owner: T,
  method: string,
  make: (original: (this: never, ...args: never[]) => unknown) => (this: never, ...args: never[]) => unknown,
): () => void {
  const methods = owner as { [name: string]: unknown };
  const original = methods[method];
  if (typeof original !== 'function') throw new Error(`there is no method ${method} to be replaced`);
  methods[method] = make(original as (this: never, ...args: never[]) => unknown);
  return () => {
    methods[method] = original;
  };
}

/** Replaces a getter of a class. `make` gets what the original would say, and whose it is. */
export function replaceGetter<T extends object>(
  owner: T,
  name: string,
  make: (original: () => unknown, self: T) => unknown,
): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  if (before?.get === undefined) throw new Error(`there is no getter ${name} to be replaced`);
  const { get } = before;
  Object.defineProperty(owner, name, {
    ...before,
    get(this: T) {
      return make(() => get.call(this), this);
    },
  });
  return () => Object.defineProperty(owner, name, before);
}
