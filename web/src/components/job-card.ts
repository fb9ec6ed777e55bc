// One sample or judge job: live progress while it works, what came of it afterwards.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {get, post, toProblem, type Problem} from '../api/http';
import type {Job} from '../api/types';
import {HoneElement} from '../base';
import {LiveStream} from '../controllers/live';
import {showHidden} from '../text/escape';
import {ago, count, duration} from '../text/format';
import {badgeOf, explain, isFinal} from '../text/states';
import './problem';
import './stage';

const NAMES: Record<string, string> = {sample: 'Sampling', judge: 'Critic', train: 'Training'};

/** @fires job-done - when it reached its end while being watched */
@customElement('hone-job-card')
export class HoneJobCard extends HoneElement {
  @property({attribute: false}) job?: Job;
  @state() private problem?: Problem;
  private live?: LiveStream;
  private readAgain = 0;

  override willUpdate(changed: Map<PropertyKey, unknown>) {
    if (!changed.has('job')) return;
    const before = changed.get('job') as Job | undefined;
    if (before?.id !== this.job?.id) this.watch();
  }
  override connectedCallback() {
    super.connectedCallback();
    if (this.job) this.watch();
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    this.live?.stop();
    clearTimeout(this.readAgain);
  }

  private watch(): void {
    this.live?.stop();
    this.live = undefined;
    if (!this.job || isFinal(this.job.state) || !this.isConnected) return;
    this.live = new LiveStream(`/jobs/${this.job.id}/events`, {
      onEvents: (events) => {
        for (const event of events)
          if (event.type === 'progress' && event.data && this.job)
            this.job = {...this.job, state: this.job.state === 'queued' ? 'running' : this.job.state, waiting: null, progress: event.data as unknown as Job['progress']};
        if (events.some((event) => event.type !== 'progress')) this.readSoon();
      },
      onState: (state) => {
        if (state === 'ended' || state === 'refused' || state === 'waiting') this.readSoon();
      },
    });
  }

  private readSoon(): void {
    clearTimeout(this.readAgain);
    this.readAgain = window.setTimeout(() => void this.read(), 300);
  }
  private async read(): Promise<void> {
    if (!this.job) return;
    try {
      const job = await get<Job>(`/jobs/${this.job.id}`);
      const was = this.job.state;
      this.job = job;
      if (isFinal(job.state) && !isFinal(was)) {
        this.live?.stop();
        this.fire('job-done', job, {bubbles: true});
      }
    } catch {
      // The stream, or the next look, tells.
    }
  }

  override render() {
    const job = this.job;
    if (!job) return nothing;
    const failed = job.state === 'failed' || job.state === 'dead';
    return html`
      <div class="job ${badgeOf(job.state)}">
        <div class="row spread">
          <span><b>${NAMES[job.kind] ?? job.kind}</b> <span class="badge ${badgeOf(job.state)}">${job.state}</span>
            <span class="fine">${job.finished_at && job.started_at ? `${ago(job.finished_at)}, took ${duration((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)}` : `started ${ago(job.created_at)}`}</span></span>
          ${isFinal(job.state) || job.state === 'cancelling' ? nothing : html`<button type="button" class="small" @click=${() => void this.cancel()}>Cancel</button>`}
        </div>
        <hone-stage .of=${job}></hone-stage>
        ${failed ? html`<div class="problem"><p>${showHidden(job.error?.detail ?? 'It failed without a reason.')}</p>
          <p>${explain(job.state, job.error).whose} ${explain(job.state, job.error).next}</p></div>` : nothing}
        ${job.state === 'succeeded' && job.result ? html`<p class="fine">${resultText(job.result)}</p>` : nothing}
        <hone-problem .problem=${this.problem}></hone-problem>
      </div>`;
  }

  private async cancel(): Promise<void> {
    this.problem = undefined;
    try {
      this.job = await post<Job>(`/jobs/${this.job!.id}/cancel`);
    } catch (error) {
      this.problem = toProblem(error);
    }
  }
}

/** The result's numbers by their own names: "300 responses, 290 comparisons". */
function resultText(result: Record<string, unknown>): string {
  return Object.entries(result)
    .filter(([, value]) => typeof value === 'number')
    .map(([name, value]) => `${count(value as number)} ${name.replaceAll('_', ' ')}`)
    .join(' · ');
}
