// Where a running thing stands: stage, bar, time left, or why it waits.

import {html, nothing} from 'lit';
import {customElement, property} from 'lit/decorators.js';
import {HoneElement} from '../base';
import type {Job, Run} from '../api/types';
import {showHidden} from '../text/escape';
import {count, duration} from '../text/format';
import {isFinal, shareOf, stageName} from '../text/states';

@customElement('hone-stage')
export class HoneStage extends HoneElement {
  @property({attribute: false}) of?: Pick<Job | Run, 'state' | 'progress' | 'waiting'>;
  private seen: {stage: string; done: number; at: number} | undefined;

  /** The worker's estimate, or one from the pace seen here when it gives none. */
  private eta(done: number | null | undefined, total: number | null | undefined, stage: string): number | null {
    const given = this.of?.progress?.eta_s;
    if (given !== null && given !== undefined) return given;
    if (done === null || done === undefined || !total) return null;
    if (this.seen?.stage !== stage || done < this.seen.done) this.seen = {stage, done, at: performance.now()};
    const made = done - this.seen.done;
    return made > 0 ? ((performance.now() - this.seen.at) / 1000 / made) * (total - done) : null;
  }

  override render() {
    const of = this.of;
    if (!of || isFinal(of.state)) return nothing;
    const p = of.progress;
    if (!p?.stage)
      return html`<div class="stage"><p class="stage-text">${of.waiting
        ? html`Waiting: ${showHidden(of.waiting.detail || of.waiting.reason)}`
        : of.state === 'queued' || of.state === 'created' ? 'Waiting for a worker to take it.' : of.state === 'cancelling' ? 'Stopping at the next safe point…' : 'Starting…'}</p></div>`;
    const share = shareOf(p);
    const done = p.done ?? p.step;
    const total = p.total ?? p.total_steps;
    const eta = this.eta(done, total, p.stage);
    return html`
      <div class="stage">
        <div class="stage-text"><b>${of.state === 'cancelling' ? 'Stopping: ' : ''}${stageName(p.stage)}</b>
          ${total ? html`<span>${count(done)} of ${count(total)}</span>` : nothing}
          ${eta !== null ? html`<span>about ${duration(eta)} left</span>` : nothing}</div>
        <progress aria-label="${stageName(p.stage)}" max="1" .value=${share ?? 0}></progress>
        ${of.waiting ? html`<p class="fine">Waiting: ${showHidden(of.waiting.detail || of.waiting.reason)}</p>` : nothing}
      </div>`;
  }
}
