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
    return html`
      <div class="stage">
        <div class="stage-text"><b>${of.state === 'cancelling' ? 'Stopping: ' : ''}${stageName(p.stage)}</b>
          ${total ? html`<span>${count(done)} of ${count(total)}</span>` : nothing}
          ${p.eta_s !== null && p.eta_s !== undefined ? html`<span>about ${duration(p.eta_s)} left</span>` : nothing}</div>
        <progress aria-label="${stageName(p.stage)}" max="1" .value=${share ?? 0}></progress>
        ${of.waiting ? html`<p class="fine">Waiting: ${showHidden(of.waiting.detail || of.waiting.reason)}</p>` : nothing}
      </div>`;
  }
}
