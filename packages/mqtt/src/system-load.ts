/** Over how many minutes, by the name that dashboards know. */
const spans: readonly [name: string, minutes: number][] = [
  ['1min', 1],
  ['5min', 5],
  ['15min', 15],
];

interface Rate {
  last: number;
  readonly means: number[];
}

/** How much of each thing there is a minute, as moving averages over 1, 5 and 15 minutes: `$SYS/broker/load/...`. */
export class SystemLoad {
  private readonly rates = new Map<string, Rate>();
  private lastMs: number;

  constructor(nowMs: number) {
    this.lastMs = nowMs;
  }

  /** `counts`: what there was of each since the start. Returns the averages, by topic. */
  update(counts: { readonly [name: string]: number }, nowMs: number): { readonly [name: string]: string } {
    const minutes = (nowMs - this.lastMs) / 60_000;
    this.lastMs = nowMs;
    const told: { [name: string]: string } = {};
    for (const [name, count] of Object.entries(counts)) {
      let rate = this.rates.get(name);
      if (rate === undefined) this.rates.set(name, (rate = { last: 0, means: spans.map(() => 0) }));
      const perMinute = minutes <= 0 ? 0 : (count - rate.last) / minutes;
      rate.last = count;
      for (const [at, [span, width]] of spans.entries()) {
        const mean = perMinute + Math.exp(-minutes / width) * (rate.means[at]! - perMinute);
        rate.means[at] = mean;
        told[`load/${name}/${span}`] = mean.toFixed(2);
      }
    }
    return told;
  }
}
