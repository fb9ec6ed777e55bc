// What each key means, and how an answer is called on the screen.

import type {Answer, SkipReason} from '../api/types';

/** 1..7 from left to right on the screen: 1 = the left answer much better (+3). */
export const STEPS: {key: string; strength: number; label: string; name: string}[] = [
  {key: '1', strength: 3, label: 'much', name: 'A much better'},
  {key: '2', strength: 2, label: 'better', name: 'A better'},
  {key: '3', strength: 1, label: 'slightly', name: 'A slightly better'},
  {key: '4', strength: 0, label: 'Tie', name: 'Tie'},
  {key: '5', strength: -1, label: 'slightly', name: 'B slightly better'},
  {key: '6', strength: -2, label: 'better', name: 'B better'},
  {key: '7', strength: -3, label: 'much', name: 'B much better'},
];

export const SKIPS: {key: string; reason: SkipReason; label: string}[] = [
  {key: '1', reason: 'cannot_judge', label: 'I cannot judge this'},
  {key: '2', reason: 'unclear', label: 'The prompt is unclear'},
  {key: '3', reason: 'offensive', label: 'Offensive or unsafe'},
  {key: '4', reason: 'wrong_language', label: 'Wrong language'},
  {key: '5', reason: 'too_long', label: 'Too long'},
  {key: '6', reason: 'other', label: 'Another reason'},
];

export function ofStrength(strength: number): Answer {
  return strength === 0 ? {verdict: 'tie', strength: 0} : {verdict: 'prefer', strength};
}

/** The answer a key gives at once; skip needs its reason first and is not here. */
export function ofKey(name: string): Answer | undefined {
  const step = STEPS.find((s) => s.key === name);
  if (step) return ofStrength(step.strength);
  if (name === 'ArrowLeft') return ofStrength(2);
  if (name === 'ArrowRight') return ofStrength(-2);
  if (name === 'ArrowDown') return ofStrength(0);
  if (name === 'x') return {verdict: 'both_bad'};
  return undefined;
}

export function nameOfAnswer(answer: Answer): string {
  if (answer.verdict === 'both_bad') return 'Both bad';
  if (answer.verdict === 'skip') {
    const skip = SKIPS.find((s) => s.reason === answer.skip_reason);
    return skip ? `Skipped: ${skip.label.toLowerCase()}` : 'Skipped';
  }
  return STEPS.find((s) => s.strength === (answer.strength ?? 0))?.name ?? 'Answered';
}
