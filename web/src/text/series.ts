// Numbers of the run page's curves: collecting, thinning, smoothing, axis steps. Pure.

export interface Point {
  x: number;
  y: number;
}

/** Values by metric name, one point a step; a replayed or resumed step replaces its earlier value. */
export class Curves {
  private byName = new Map<string, Point[]>();
  totalSteps = 0;
  lastStep = 0;

  add(step: number, values: Record<string, unknown>): void {
    this.lastStep = step;
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'number' || !Number.isFinite(value)) continue;
      let points = this.byName.get(name);
      if (!points) this.byName.set(name, (points = []));
      // An attempt that resumed from a checkpoint repeats steps: what comes later counts.
      while (points.length && points[points.length - 1]!.x >= step) points.pop();
      points.push({x: step, y: value});
    }
  }
  of(name: string): readonly Point[] {
    return this.byName.get(name) ?? [];
  }
  latest(name: string): number | undefined {
    const points = this.byName.get(name);
    return points?.[points.length - 1]?.y;
  }
  get names(): string[] {
    return [...this.byName.keys()].sort();
  }
}

/** A run of several seeds counts its steps through them. Each begun seed's own points in their order, from
 * step 1 on; `steps` are one seed's. */
export function bySeed(points: readonly Point[], steps: number): Point[][] {
  const seeds: Point[][] = [];
  for (const {x, y} of points) {
    const place = steps > 0 ? Math.max(0, Math.ceil(x / steps) - 1) : 0;
    while (seeds.length <= place) seeds.push([]);
    seeds[place]!.push({x: x - place * steps, y});
  }
  return seeds;
}

/** One measurement on held-out prompts: what is trained on, what is not, and how far the policy has gone. */
export interface GoldPoint {
  step: number;
  /** Square root of the KL to the base in nats an answer: the distance in which over-optimisation is told
   * (Gao et al., arXiv:2210.10760). */
  distance: number;
  gold?: number;
  proxy?: number;
}

export function goldPoints(curves: Curves): GoldPoint[] {
  const at = (name: string) => new Map(curves.of(name).map((p) => [p.x, p.y]));
  const gold = at('rl/gold');
  const proxy = at('rl/proxy');
  return curves.of('rl/gold/kl').map(({x, y}) => ({step: x, distance: Math.sqrt(Math.max(0, y)), gold: gold.get(x), proxy: proxy.get(x)}));
}

/** At most about two points a pixel: lowest and highest of each bucket, in order. */
export function decimate(points: readonly Point[], width: number): readonly Point[] {
  const buckets = Math.max(2, Math.floor(width));
  if (points.length <= buckets * 2) return points;
  const size = points.length / buckets;
  const kept: Point[] = [];
  for (let b = 0; b < buckets; ++b) {
    const from = Math.floor(b * size);
    const to = Math.min(points.length, Math.floor((b + 1) * size));
    let low = from;
    let high = from;
    for (let i = from; i < to; ++i) {
      if (points[i]!.y < points[low]!.y) low = i;
      if (points[i]!.y > points[high]!.y) high = i;
    }
    kept.push(points[Math.min(low, high)]!);
    if (low !== high) kept.push(points[Math.max(low, high)]!);
  }
  return kept;
}

/** Exponential mean with the start-up bias taken out; weight 0.9 remembers about ten points. */
export function smooth(points: readonly Point[], weight = 0.9): Point[] {
  let mean = 0;
  let norm = 0;
  return points.map(({x, y}) => {
    mean = weight * mean + (1 - weight) * y;
    norm = weight * norm + (1 - weight);
    return {x, y: mean / norm};
  });
}

/** About `n` round values from at or below `low` to at or above `high`. */
export function niceTicks(low: number, high: number, n: number): number[] {
  if (!(high > low)) {
    const pad = Math.abs(low) > 0 ? Math.abs(low) * 0.1 : 1;
    return niceTicks(low - pad, low + pad, n);
  }
  const raw = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) ?? 10 * power;
  const ticks: number[] = [];
  for (let i = Math.floor(low / step + 1e-9); ; ++i) {
    const tick = Number((i * step).toPrecision(12));
    ticks.push(tick);
    if (tick >= high - step * 1e-9) return ticks;
  }
}
