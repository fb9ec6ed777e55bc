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
  'eval/held_out/loss': 'Loss on held-out rows',
  'eval/held_out/pref/accuracy': 'Accuracy on held-out pairs',
  'eval/held_out/pref/margin': 'Reward margin on held-out pairs',
  'eval/held_out/pairs': 'Held-out pairs',
  'eval/held_out/conversations': 'Held-out conversations',
  'eval/held_out/answers': 'Held-out answers',
  'eval/held_out/prompts': 'Held-out prompts',
  'eval/held_out/pref/auc': 'Good ahead of bad, held-out answers',
  'eval/held_out/sft/nll': 'Surprise at a held-out token (nats)',
  'eval/held_out/sft/token_accuracy': 'Held-out tokens foretold right',
  'eval/held_out/sft/perplexity': 'Perplexity on held-out conversations',
  'eval/held_out/rm/accuracy': 'Held-out pairs ranked right',
  'eval/held_out/rm/accuracy/longer': 'By always taking the longer answer',
  'eval/held_out/rm/nll': 'Surprise at a held-out pair (nats)',
  'eval/held_out/rm/nll/calibrated': 'The same, calibrated',
  'eval/held_out/rm/ece': 'Calibration error',
  'eval/held_out/rm/ece/calibrated': 'Calibration error, calibrated',
  'eval/held_out/rm/temperature': 'Temperature that calibrates it',
  'eval/held_out/rm/length_corr': 'Score against length (correlation)',
  'eval/held_out/rl/gold': 'Gold reward on held-out prompts',
  'eval/held_out/rl/proxy': 'Reward trained on, held-out prompts',
  'eval/held_out/rl/gold/kl': 'KL to the base (nats an answer), held-out prompts',
  'prompts': 'Prompts',
  'prompts_sha256': 'Hash of the prompts (SHA-256)',
  'wall_s': 'Time',
};

const SETTINGS = new Set(['Hash of the prompts (SHA-256)', 'Time']);
const MAIN = new Set(Object.values(NAMES).filter((name) => !SETTINGS.has(name)));

/** Whether a figure is what people look for first; the others are how it was measured. */
export function isMain(row: Figure): boolean {
  return MAIN.has(row.name) || row.name.startsWith(CELL);
}

/** The order in which people read them: that of the names above. */
export function inOrder(a: Figure, b: Figure): number {
  const order = [...MAIN];
  const rank = (row: Figure) => (MAIN.has(row.name) ? order.indexOf(row.name) : order.length);
  return rank(a) - rank(b);
}

// A reward model's accuracy by judge and by slice of the data; those too small to say stand together.
const CELL = 'Ranked right, ';
function cellOf(name: string): string | null {
  const cell = name.match(/^eval\/held_out\/rm\/accuracy\/(judge|slice)\/(.+)$/);
  if (cell) return `${CELL}${cell[1]} ${cell[2]}`;
  return name === 'eval/held_out/rm/accuracy/pooled' ? `${CELL}judges and slices of few pairs` : null;
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
  const {values: given, ...records} = evaluation;
  const values = {...((given ?? {}) as Value)};
  const scores = rewardModel(values);
  if (scores) headline = scores;
  // The metrics repeat what the record of held-out rows says, with its interval.
  if (Object.keys(values).some((name) => name.startsWith('eval/held_out/') && !BARE.test(name))) delete records.held_out;
  walk(records, []);
  const intervals = takeIntervals(values);
  for (const name of Object.keys(values)) { // metrics, under their own slash names
    const before = rows.length;
    walk({[name]: values[name]}, []);
    const bounds = intervals.get(name);
    const text = /accuracy|win_rate/.test(name) ? percent : figure;
    if (bounds && rows.length === before + 1) rows[before]!.interval = `95 % interval ${text(bounds.low)} to ${text(bounds.high)}`;
  }
  return {headline, rows};
}

/** Counts and bounds, which a record of held-out rows holds too. */
const BARE = /^eval\/held_out\/(pairs|conversations|answers|prompts|accuracy\/(low|high))$/;

/** Takes NAME/low and NAME/high out of the metrics: the bounds of NAME. */
function takeIntervals(values: Value): Map<string, {low: number; high: number}> {
  const out = new Map<string, {low: number; high: number}>();
  for (const [lowName, low] of Object.entries(values)) {
    if (!lowName.endsWith('/low')) continue;
    const of = lowName.slice(0, -'/low'.length);
    const high = values[`${of}/high`];
    if (typeof low !== 'number' || typeof high !== 'number') continue;
    // The interval of the accuracy is told without the name of the method's part.
    const owner = of === 'eval/held_out/accuracy' ? ['eval/held_out/rm/accuracy', 'eval/held_out/pref/accuracy'].find((name) => name in values) ?? of : of;
    out.set(owner, {low, high});
    delete values[lowName];
    delete values[`${of}/high`];
  }
  return out;
}

/** A reward model is worth something when it ranks better than length alone: always the longer answer or,
 * where that is the better rule, always the shorter. */
function rewardModel(values: Value): Headline | null {
  const at = (name: string) => values[`eval/held_out/${name}`] as number | undefined;
  const [right, longer, low, high] = [at('rm/accuracy'), at('rm/accuracy/longer'), at('accuracy/low'), at('accuracy/high')];
  if (right === undefined || longer === undefined || low === undefined || high === undefined) return null;
  const interval = `95 % interval ${percent(low)} to ${percent(high)}`;
  const length = Math.max(longer, 1 - longer);
  const beside = `of held-out pairs ranked right; always taking the ${longer >= 0.5 ? 'longer' : 'shorter'} answer gets ${percent(length)}`;
  if (high < 0.5) return {value: percent(right), interval, verdict: 'bad', text: `${beside}. It ranks worse than a coin.`};
  if (low > length) return {value: percent(right), interval, verdict: 'good', text: `${beside}.`};
  return {value: percent(right), interval, verdict: 'warn', text: `${beside}. The interval includes ${low <= 0.5 ? 'a coin’s 50 %' : 'that'}: that it has learnt more is not shown.`};
}

/** A metric's name for people. */
export function nameOf(path: string): string {
  const known = NAMES[path] ?? cellOf(path);
  if (known) return known;
  const last = path.split('/').pop() ?? '';
  // A metric's name says all of it: "rm/nll" of training rows is no loss on held-out ones.
  return (path.startsWith('eval/') ? undefined : NAMES[last]) ?? path.replaceAll('/', ' · ').replaceAll('_', ' ');
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
