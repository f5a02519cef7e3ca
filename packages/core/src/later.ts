/** A value, or the promise of one: operations that only need memory answer at once, so that the door need not wait for a turn. */
export type Later<T> = T | Promise<T>;

/** Goes on with the value now if it is there, else when it comes. (Named `then`, it would make this module a thenable and `import()` of it fail.) */
export function andThen<T, R>(value: Later<T>, next: (value: T) => Later<R>): Later<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
