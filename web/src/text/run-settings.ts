// A run's settings as a form: made from the server's catalogue of methods, so that names, presets and
// bounds are said in one place. Pure.

import type {Method, Property} from '../api/types';
import {count, figure} from './format';

/** Families in the order in which they are offered, by what their data are. */
export const FAMILIES: [family: string, title: string][] = [
  ['preference', 'Pairs: a model that prefers as judged'],
  ['reward', 'Pairs: a reward model, which gives scores'],
  ['policy', 'Prompts and a reward: the model learns from its own answers'],
  ['unpaired', 'Single answers, good or bad'],
  ['demonstration', 'Answers to imitate'],
  ['distillation', 'A teacher to imitate'],
];

export const DEFAULT_METHOD = 'dpo.sigmoid.sum';
export const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const LABELS: Record<string, string> = {
  learning_rate: 'Learning rate', batch_size: 'Batch size', epochs: 'Epochs', max_steps: 'Most steps', beta: 'Beta', max_tokens: 'Longest text (tokens)',
  group_size: 'Answers for each prompt', max_new_tokens: 'Longest answer drawn (tokens)', kl_coefficient: 'KL coefficient', kl_target: 'KL target', kl_budget: 'KL budget',
  temperature: 'Temperature of drawing', value_learning_rate: 'Rate of the value network', warmup_ratio: 'Warm-up', max_grad_norm: 'Gradient norm bound',
  no_end_score: 'Score without an end', gold_every: 'Gold reward every (steps)', dtype: 'Number type', nll_coefficient: 'Weight of the likelihood term',
};

/** What people set first, in this order; the rest stands behind "More settings". */
const MAIN = ['learning_rate', 'batch_size', 'epochs', 'max_steps', 'beta', 'gamma', 'lambda', 'tau', 'label_smoothing', 'flip_rate', 'margin_scale', 'mix',
  'lambda_desirable', 'lambda_undesirable', 'group_size', 'max_new_tokens', 'temperature', 'kl_coefficient', 'max_tokens'];

export function isMainSetting(name: string): boolean {
  return MAIN.includes(name);
}

export interface Setting {
  name: string;
  label: string;
  kind: 'integer' | 'number' | 'boolean' | 'word';
  /** null: left out. */
  preset: number | string | boolean | null;
  nullable: boolean;
  words: string[];
  min?: number;
  max?: number;
  help: string;
}

export function settingsOf(method: Method, adapter: boolean): {main: Setting[]; more: Setting[]} {
  const all = Object.entries(method.hyperparameters.properties).map(([name, property]) => settingOf(name, property, adapter));
  const rank = (s: Setting) => MAIN.indexOf(s.name);
  return {main: all.filter((s) => rank(s) >= 0).sort((a, b) => rank(a) - rank(b)), more: all.filter((s) => rank(s) < 0)};
}

function settingOf(name: string, p: Property, adapter: boolean): Setting {
  const types = Array.isArray(p.type) ? p.type : [p.type];
  const kind = p.enum ? 'word' : types.includes('boolean') ? 'boolean' : types.includes('integer') ? 'integer' : 'number';
  const special = p['x-default-with-adapter'];
  const preset = (adapter && special !== undefined ? special : p.default) ?? null;
  const spaced = name.replaceAll('_', ' ');
  return {name, label: LABELS[name] ?? spaced[0]!.toUpperCase() + spaced.slice(1), kind, preset, nullable: types.includes('null'), words: p.enum ?? [],
    min: p.minimum, max: p.maximum, help: [p.description, boundsOf(p), presetOf(preset, kind)].filter(Boolean).join(', ')};
}

function boundsOf(p: Property): string {
  if (p.minimum === undefined || p.maximum === undefined) return '';
  const say = (v: number) => (Number.isInteger(v) && Math.abs(v) < 1e9 ? count(v) : figure(v));
  return `${say(p.minimum)} to ${say(p.maximum)}`;
}

function presetOf(preset: Setting['preset'], kind: Setting['kind']): string {
  if (preset === null) return 'empty: not set';
  return kind === 'number' || kind === 'integer' ? `default ${figure(preset)}` : '';
}

/** What the field's text stands for. */
export function valueOf(setting: Setting, text: string | null): number | string | boolean | null {
  if (setting.kind === 'boolean') return text !== null;
  if (setting.kind === 'word') return text ?? String(setting.preset);
  return text === null || text.trim() === '' ? null : Number(text);
}
