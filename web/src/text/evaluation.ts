// Reads an evaluation record into figures: values with 95 % intervals where the record has them.
// Names it does not know are shown as they are, so that nothing measured is hidden.

import {duration, figure, percent} from './format';

export interface Figure {
  name: string;
  value: string;
  interval?: string;
}
export interface Headline {
  value: string;
  interval: string;
  text: string;
  verdict: 'good' | 'warn' | 'bad';
}

const NAMES: Record<string, string> = {
  'win_rate': 'Win rate against the base',
  'kl_seq': 'KL to the base (nats a response)',
  'kl_token': 'KL to the base (nats a token)',
  'mean_tokens': 'Mean length (tokens)',
  'base_mean_tokens': 'Mean length of the base (tokens)',
  'wins': 'Won',
  'ties': 'Tied',
  'losses': 'Lost',
  'eval/held_out/loss': 'Loss on held-out pairs',
  'eval/held_out/pref/accuracy': 'Accuracy on held-out pairs',
  'eval/held_out/pref/margin': 'Reward margin on held-out pairs',
  'prompts': 'Prompts',
  'prompts_sha256': 'Hash of the prompts (SHA-256)',
  'wall_s': 'Time',
};

const SETTINGS = new Set(['Hash of the prompts (SHA-256)', 'Time']);
const MAIN = new Set(Object.values(NAMES).filter((name) => !SETTINGS.has(name)));

/** Whether a figure is what people look for first; the others are how it was measured. */
export function isMain(row: Figure): boolean {
  return MAIN.has(row.name);
}

/** The order in which people read them: that of the names above. */
export function inOrder(a: Figure, b: Figure): number {
  const order = [...MAIN];
  return order.indexOf(a.name) - order.indexOf(b.name);
}

type Value = Record<string, unknown>;

export function readEvaluation(evaluation: Value): {headline: Headline | null; rows: Figure[]} {
  const rows: Figure[] = [];
  let headline: Headline | null = null;
  const walk = (value: unknown, path: string[]) => {
    const name = path.join('/');
    const last = path[path.length - 1] ?? '';
    const rate = /win_rate|accuracy|share/.test(last) || (last === 'value' && /win_rate/.test(name));
    const show = (v: unknown) => (rate && typeof v === 'number' && v >= 0 && v <= 1 ? percent(v) : typeof v === 'number' ? (last.endsWith('_s') ? duration(v) : figure(v)) : String(v));
    if (value === null || value === undefined) return;
    // The metrics of a win rate repeat what its own record says.
    if (path[0]?.startsWith('eval/prompts/') && evaluation.win_rate) return;
    if (typeof value === 'object' && !Array.isArray(value)) {
      const record = value as Value;
      const centre = estimateOf(record, last);
      const bounds = intervalOf(record);
      if (centre && bounds && centre.value >= 0) {
        const isRate = /win_rate|rate|accuracy/.test(name) || centre.key === 'rate' || centre.key === 'win_rate';
        const text = isRate ? percent : figure;
        const title = /win_rate/.test(name) || centre.key === 'win_rate' ? NAMES.win_rate! : nameOf(name);
        const interval = `95 % interval ${text(bounds.low)} to ${text(bounds.high)}`;
        if (title === NAMES.win_rate && !headline) headline = winRate(centre.value, bounds, interval);
        else rows.push({name: title, value: text(centre.value), interval});
        for (const [key, inner] of Object.entries(record))
          if (key !== centre.key && !bounds.keys.includes(key)) walk(inner, [...path, key]);
        return;
      }
      for (const [key, inner] of Object.entries(record)) walk(inner, [...path, key]);
      return;
    }
    if (Array.isArray(value)) {
      if (value.length <= 4 && value.every((v) => typeof v !== 'object')) rows.push({name: nameOf(name), value: value.map(show).join(', ')});
      return;
    }
    if (typeof value === 'string' && value.length > 200) return;
    rows.push({name: nameOf(name), value: show(value)});
  };
  const {values, ...records} = evaluation;
  walk(records, []);
  walk(values, []); // metrics, under their own slash names
  return {headline, rows};
}

function nameOf(path: string): string {
  return NAMES[path] ?? NAMES[path.split('/').pop() ?? ''] ?? path.replaceAll('/', ' · ').replaceAll('_', ' ');
}

function estimateOf(record: Value, last: string): {key: string; value: number} | null {
  for (const key of ['win_rate', 'value', 'rate', 'mean', 'estimate', last])
    if (typeof record[key] === 'number') return {key, value: record[key] as number};
  return null;
}

function intervalOf(record: Value): {low: number; high: number; keys: string[]} | null {
  for (const [low, high] of [['low', 'high'], ['lower', 'upper'], ['ci_low', 'ci_high'], ['lo', 'hi'], ['win_rate_low', 'win_rate_high']] as const)
    if (typeof record[low] === 'number' && typeof record[high] === 'number')
      return {low: record[low] as number, high: record[high] as number, keys: [low, high]};
  for (const key of ['interval', 'ci', 'ci95', 'interval_95', 'win_rate_ci', 'win_rate_interval']) {
    const value = record[key];
    if (Array.isArray(value) && value.length === 2 && value.every((v) => typeof v === 'number'))
      return {low: value[0] as number, high: value[1] as number, keys: [key]};
  }
  return null;
}

function winRate(rate: number, bounds: {low: number; high: number}, interval: string): Headline {
  const verdict = bounds.low > 0.5 ? 'good' : bounds.high < 0.5 ? 'bad' : 'warn';
  const text = verdict === 'good' ? 'wins against the base on held-out prompts: better than the base.'
    : verdict === 'bad' ? 'wins against the base on held-out prompts: worse than the base.'
      : 'wins against the base on held-out prompts. The interval includes 50 %: a difference from the base is not shown.';
  return {value: percent(rate), interval, text, verdict};
}
