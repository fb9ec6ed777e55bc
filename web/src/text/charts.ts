// Which curves a run's page shows: those of its method, and what else it measured that has a name here.
// Pure.

export interface ChartOf {
  name: string;
  label: string;
  help: string;
  /** A line to compare with, such as chance. */
  guide?: number;
  /** Set, not measured: never smoothed. */
  exact?: boolean;
}

export type Kind = 'pairs' | 'reward' | 'policy' | 'answers' | 'conversations';

export function kindOf(method: string, hasReward: boolean): Kind {
  if (hasReward) return 'policy';
  if (method.startsWith('rm.')) return 'reward';
  if (method.startsWith('kto')) return 'answers';
  if (method === 'sft' || method.startsWith('distill.')) return 'conversations';
  return 'pairs';
}

const CHARTS: (ChartOf & {of?: Kind[]})[] = [
  {name: 'rl/score/mean', label: 'Reward', help: 'mean score of the answers drawn in the step', of: ['policy']},
  {name: 'loss', label: 'Loss', help: 'what is minimised, mean over the step', of: ['pairs', 'reward', 'policy', 'answers', 'conversations']},
  {name: 'pref/margin', label: 'Reward margin', help: 'chosen minus rejected, nats times beta', guide: 0, of: ['pairs']},
  {name: 'pref/accuracy', label: 'Accuracy', help: 'share of pairs with the chosen answer ahead', guide: 0.5, of: ['pairs']},
  {name: 'pref/auc', label: 'Good ahead of bad', help: 'chance that a good answer of the step has more reward than a bad one', guide: 0.5, of: ['answers']},
  {name: 'pref/reward/chosen', label: 'Reward of chosen answers', help: 'log-ratio to the base times beta'},
  {name: 'pref/reward/rejected', label: 'Reward of rejected answers', help: 'log-ratio to the base times beta'},
  {name: 'rm/accuracy', label: 'Accuracy', help: 'share of pairs with the higher score for the chosen answer', guide: 0.5, of: ['reward']},
  {name: 'rm/nll', label: 'Surprise a pair', help: 'nats; log 2 ≈ 0.693 is a coin', guide: Math.LN2, of: ['reward']},
  {name: 'rm/score/std', label: 'Spread of scores', help: 'standard deviation over the step’s answers', of: ['reward']},
  {name: 'rm/length_corr', label: 'Score against length', help: 'correlation over the step’s answers; far from 0: it may be counting words', guide: 0, of: ['reward']},
  {name: 'rl/kl/seq', label: 'KL to the base', help: 'nats an answer', of: ['policy']},
  {name: 'rl/entropy', label: 'Entropy', help: 'nats a token; towards 0 the model repeats itself', of: ['policy']},
  {name: 'rl/length/mean', label: 'Length', help: 'tokens an answer, mean', of: ['policy']},
  {name: 'rl/truncated', label: 'Cut off', help: 'share of answers that reached the longest length', of: ['policy']},
  {name: 'rl/gold', label: 'Gold reward', help: 'on held-out prompts; nothing is trained on it'},
  {name: 'value/loss', label: 'Loss of the value network', help: 'mean over the step’s tokens'},
  {name: 'value/explained_variance', label: 'Variance explained', help: 'of the returns by the value network; 1 is all', guide: 0},
  {name: 'sft/entropy', label: 'Entropy', help: 'nats a token'},
  {name: 'kto/z0', label: 'Reference point', help: 'nats, z0 of the step'},
  {name: 'opt/lr', label: 'Learning rate', help: 'after warm-up and schedule', exact: true, of: ['pairs', 'reward', 'policy', 'answers', 'conversations']},
  {name: 'perf/tokens_per_s', label: 'Tokens a second', help: 'all tokens of the step over its time', of: ['pairs', 'reward', 'policy', 'answers', 'conversations']},
  {name: 'opt/grad_norm', label: 'Gradient norm', help: 'before clipping', of: ['pairs', 'reward', 'policy', 'answers', 'conversations']},
];

/** Those whose loss starts at log 2: a logistic loss of a difference that begins at 0. */
const FROM_LOG_2 = /^(dpo|rm)\.(sigmoid|soft|debiased|flip)\b/;

export function chartsOf(method: string, hasReward: boolean, measured: readonly string[]): ChartOf[] {
  const kind = kindOf(method, hasReward);
  return CHARTS.filter((chart) => chart.of?.includes(kind) || measured.includes(chart.name)).map(({of: _, ...chart}) =>
    chart.name === 'loss' && FROM_LOG_2.test(method) ? {...chart, help: `${chart.help}; log 2 ≈ 0.693 at the start`, guide: Math.LN2} : chart);
}
