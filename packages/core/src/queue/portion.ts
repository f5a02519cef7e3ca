/** Deliveries of one queue in one go, beside what came in meanwhile: a few milliseconds, so that others have theirs between. */
const portionMax = 4096;
/** And of what came in meanwhile, at most this many: what gathered while nobody consumed is no hurry. */
const catchUpMax = 65_536;

/**
 * How much of a backlog goes out in one turn. A turn brings up to 2 MiB from each publisher: twice of what came goes out, or a queue
 * that once fell behind its publishers would never catch up.
 */
export class Portion {
  /** Messages that had to wait since the last one. */
  arrivals = 0;

  next(): number {
    const portion = portionMax + Math.min(2 * this.arrivals, catchUpMax);
    this.arrivals = 0;
    return portion;
  }
}
