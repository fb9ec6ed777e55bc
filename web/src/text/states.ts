// States of runs and jobs in a person's words.

import type {JobError, JobState, StageProgress} from '../api/types';

const FINAL: JobState[] = ['succeeded', 'failed', 'dead', 'cancelled'];

export function isFinal(state: JobState): boolean {
  return FINAL.includes(state);
}

export function badgeOf(state: JobState): string {
  if (state === 'succeeded') return 'good';
  if (state === 'failed' || state === 'dead') return 'bad';
  if (state === 'cancelled' || state === 'cancelling' || state === 'paused' || state === 'pausing') return 'warn';
  return state === 'running' || state === 'publishing' || state === 'leased' ? 'live' : '';
}

const STAGES: Record<string, string> = {
  load: 'Loading the base',
  reference: 'Scoring with the reference model',
  train: 'Training',
  evaluate: 'Evaluating',
  publish: 'Publishing',
  sample: 'Sampling answers',
  judge: 'Judging',
};

export function stageName(stage: string | null | undefined): string {
  return stage ? (STAGES[stage] ?? stage) : 'Working';
}

export function shareOf(progress: StageProgress | null | undefined): number | null {
  if (!progress) return null;
  const done = progress.done ?? progress.step;
  const total = progress.total ?? progress.total_steps;
  return done !== null && done !== undefined && total ? Math.min(1, done / total) : null;
}

/** Whose fault it is, and what happens next: never a bare code. */
export function explain(state: JobState, error: JobError | null): {whose: string; next: string} {
  const blame = error?.blame ?? (state === 'dead' ? 'infra' : 'user');
  if (blame === 'user')
    return {whose: 'Something in the request or the data has to change.', next: 'Nothing is tried again by itself. Correct it and start a new one; what was made before stays.'};
  if (blame === 'bug')
    return {whose: 'This is a fault in Hone itself.', next: 'Please report it with the detail below; the same request would fail again.'};
  return {whose: 'The machine or a service behind it failed, not your data.',
    next: state === 'dead' ? 'It was tried as often as allowed. When the machine is in order again, start a new one.' : 'It is tried again by itself.'};
}
