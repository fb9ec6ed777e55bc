// Several seeds of one run as a table: a row a metric with its mean, interval and each seed's own value. Pure.

import type {SeedsResult} from '../api/types';
import {inOrder, isMain, nameOf} from './evaluation';
import {figure, percent} from './format';

export interface SeedRow {
  name: string;
  mean: string;
  interval: string;
  /** In the order of the seeds. */
  values: string[];
}
export interface SeedTable {
  seeds: string[];
  main: SeedRow[];
  more: SeedRow[];
  failures: string[];
}

export function seedTable(result: SeedsResult): SeedTable {
  // What is measured at the end, where anything is; else the last step's figures.
  const part = Object.keys(result.evaluation).length ? 'evaluation' : 'metrics';
  const rows = Object.entries(result[part]).map(([path, of]): SeedRow => {
    const text = /accuracy|win_rate|share/.test(path) ? percent : figure;
    return {
      name: nameOf(path), mean: text(of.mean),
      interval: of.low === undefined || of.high === undefined ? 'of one seed: none' : `${text(of.low)} to ${text(of.high)}`,
      values: result.seeds.map((seed) => (seed.ok ? text(seed[part]?.[path]) : 'failed')),
    };
  });
  const of = (row: SeedRow) => ({name: row.name, value: row.mean});
  const main = rows.filter((row) => isMain(of(row))).sort((a, b) => inOrder(of(a), of(b)));
  return {
    seeds: result.seeds.map(({seed}) => String(seed)),
    main: main.length ? main : rows, more: main.length ? rows.filter((row) => !isMain(of(row))) : [],
    failures: result.seeds.filter((seed) => !seed.ok).map((seed) => `Seed ${seed.seed} failed at step ${seed.step ?? 0}: ${seed.detail ?? 'without a reason'}`),
  };
}
