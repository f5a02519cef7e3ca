/** Between when and when something was wrong with a node, or between two. */
interface Trouble {
  readonly nodes: readonly string[];
  readonly fromMs: number;
  toMs: number;
}

/** How long after a trouble is over its effects may last: links are found dead, opened anew, consumers attached again. Milliseconds. */
const afterMs = 15_000;

/** How long a broken link is felt: it is opened anew, and told what it missed. Milliseconds. */
const pulseMs = 3_000;

/**
 * What went wrong in a run, and when: by it the checks know what may be excused. A link that merely breaks is no excuse for anything; a
 * node that is stopped, cut off or dead is.
 */
export class Troubles {
  private readonly now: () => number;
  private readonly all: Trouble[] = [];
  private readonly open = new Map<string, Trouble>();
  private readonly deaths = new Map<string, number[]>();
  private readonly wipes = new Map<string, number[]>();
  /** When somebody had leads handed over. */
  private readonly handOvers: number[] = [];
  /** Links that broke, and when. */
  private readonly breaks: { readonly a: string; readonly b: string; readonly ms: number }[] = [];

  constructor(now: () => number) {
    this.now = now;
  }

  /**
   * Something begins to be wrong with these nodes (with one: and everybody; with two: between them; with none: it keeps nothing from
   * going on, but what is answered may not be known everywhere), until `end` of the same name.
   */
  begin(what: string, ...nodes: string[]): void {
    if (this.open.has(what)) return;
    const trouble = { nodes, fromMs: this.now(), toMs: Number.POSITIVE_INFINITY };
    this.all.push(trouble);
    this.open.set(what, trouble);
  }

  end(what: string): void {
    const trouble = this.open.get(what);
    if (trouble === undefined) return;
    trouble.toMs = this.now() + afterMs;
    this.open.delete(what);
  }

  /** The link between two nodes breaks, which is over at once and felt a moment longer. */
  broke(a: string, b: string): void {
    const ms = this.now();
    this.breaks.push({ a, b, ms });
    this.all.push({ nodes: [], fromMs: ms, toMs: ms + pulseMs });
  }

  /** Who leads what changes now by somebody's wish, which alone is felt by nobody. */
  handedOver(): void {
    this.handOvers.push(this.now());
  }

  endAllBut(stays: (what: string) => boolean): void {
    for (const what of [...this.open.keys()]) if (!stays(what)) this.end(what);
  }

  died(node: string): void {
    push(this.deaths, node, this.now());
  }

  wiped(node: string): void {
    push(this.wipes, node, this.now());
  }

  hasDied(node: string, fromMs: number, toMs = Number.POSITIVE_INFINITY): boolean {
    return (this.deaths.get(node) ?? []).some((ms) => ms >= fromMs && ms <= toMs);
  }

  wasWiped(node: string, fromMs: number): boolean {
    return (this.wipes.get(node) ?? []).some((ms) => ms >= fromMs);
  }

  /** Whether anything between these two nodes, or with one of them, was wrong in that time. */
  between(a: string, b: string, sinceMs: number, untilMs: number): boolean {
    return this.all.some(({ nodes, fromMs, toMs }) => {
      if (toMs < sinceMs || fromMs > untilMs) return false;
      const [first, second] = nodes;
      if (first === undefined) return false;
      if (second === undefined) return first === a || first === b;
      return (first === a && second === b) || (first === b && second === a);
    });
  }

  /** How many disks were lost since then. */
  wipesSince(fromMs: number): number {
    return [...this.wipes.values()].filter((times) => times.some((ms) => ms >= fromMs)).length;
  }

  /**
   * Whether anything was wrong with a node, or between it and any other. A link of it that merely broke counts when somebody died or was out
   * of reach at that time: who leads next does not wait for long for what the node's consumers hold.
   */
  around(node: string, sinceMs: number, untilMs: number): boolean {
    const isNear = ({ nodes, fromMs, toMs }: Trouble) => nodes.includes(node) && toMs >= sinceMs && fromMs <= untilMs;
    if (this.all.some(isNear)) return true;
    const broken = this.breaks.filter(
      ({ a, b, ms }) => (a === node || b === node) && ms >= sinceMs - pulseMs && ms <= untilMs,
    );
    return broken.some(({ ms }) => this.areLeadersMoving(ms));
  }

  /** Whether any node was gone, stopped or cut off in that time. */
  isAnybodyMissing(sinceMs: number, untilMs: number): boolean {
    return this.all.some(({ nodes, fromMs, toMs }) => nodes.length > 0 && toMs >= sinceMs && fromMs <= untilMs);
  }

  /** Whether others lead than before, or may, at about that time. */
  areLeadersMoving(ms: number): boolean {
    const isNear = (fromMs: number, toMs: number) => fromMs - afterMs <= ms && ms <= toMs;
    if (this.all.some(({ nodes, fromMs, toMs }) => nodes.length > 0 && isNear(fromMs, toMs))) return true;
    const times = [...this.deaths.values(), this.handOvers].flat();
    return times.some((at) => isNear(at, at + afterMs));
  }

  get hasAnybodyDied(): boolean {
    return this.deaths.size > 0;
  }

  /** Somebody died, or may have been taken for dead. */
  get haveParted(): boolean {
    return this.hasAnybodyDied || this.all.some(({ nodes }) => nodes.length > 0);
  }

  /** Nothing at all is wrong, nor was lately. */
  isCalm(nowMs: number): boolean {
    if (this.all.some(({ toMs }) => toMs >= nowMs)) return false;
    return ![...this.deaths.values()].some((times) => times.some((ms) => ms + afterMs >= nowMs));
  }
}

function push(map: Map<string, number[]>, key: string, value: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
