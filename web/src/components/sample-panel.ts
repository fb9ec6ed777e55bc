// Drawing answers from a registered base for each prompt; pairs of them become comparisons.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {post, toProblem, type Problem} from '../api/http';
import type {Base, Job} from '../api/types';
import {HoneElement} from '../base';
import {showHidden} from '../text/escape';
import './problem';

/** @fires job-started - CustomEvent<Job> */
@customElement('hone-sample-panel')
export class HoneSamplePanel extends HoneElement {
  @property() project = '';
  @property({attribute: false}) bases: Base[] = [];
  @state() private problem?: Problem;
  @state() private busy = false;

  override render() {
    if (!this.bases.length)
      return html`<p>No base is registered yet. On the server: <code>hone bases add NAME PATH</code>, with a Hugging Face folder or a GGUF file.</p>`;
    return html`
      <form class="stack" @submit=${this.submit}>
        <div class="fields">
          <div class="field"><label for="sample-base">Base</label>
            <select id="sample-base" name="base">${this.bases.map((base) => html`<option value=${base.id}>${showHidden(base.name)}</option>`)}</select></div>
          <div class="field"><label for="sample-n">Answers for each prompt</label>
            <select id="sample-n" name="responses_per_prompt"><option>2</option><option>3</option><option>4</option></select></div>
          <div class="field"><label for="sample-split">Prompts</label>
            <select id="sample-split" name="split"><option value="train">Training</option><option value="held_out">Held out</option><option value="all">All</option></select></div>
          <div class="field"><label for="sample-max">Longest answer (tokens)</label>
            <input id="sample-max" name="max_tokens" type="number" min="1" max="4096" step="1" value="256" required /></div>
          <div class="field"><label for="sample-temperature">Temperature</label>
            <input id="sample-temperature" name="temperature" type="number" min="0.05" max="5" step="any" value="1" required /></div>
          <div class="field"><label for="sample-top">Top-p</label>
            <input id="sample-top" name="top_p" type="number" min="0.01" max="1" step="any" value="1" required /></div>
          <div class="field"><label for="sample-seed">Seed</label>
            <input id="sample-seed" name="seed" type="number" min="0" step="1" placeholder="drawn" /></div>
        </div>
        <details><summary>More ways to draw</summary><div class="fields">
          <div class="field"><label for="sample-top-k">Top-k</label>
            <input id="sample-top-k" name="top_k" type="number" min="0" max="1048576" step="1" value="0" required /><p class="fine">the likeliest so many tokens; 0: all</p></div>
          <div class="field"><label for="sample-min-p">Min-p</label>
            <input id="sample-min-p" name="min_p" type="number" min="0" max="1" step="any" value="0" required /><p class="fine">tokens at least this likely beside the likeliest; 0: all</p></div>
          <div class="field"><label for="sample-penalty">Repetition penalty</label>
            <input id="sample-penalty" name="repetition_penalty" type="number" min="0.01" max="100" step="any" value="1" required /><p class="fine">1: none</p></div>
          <div class="field"><label for="sample-dtype">Numbers</label>
            <select id="sample-dtype" name="dtype"><option>auto</option><option>float32</option><option>bfloat16</option></select><p class="fine">auto: whatever is faster there</p></div>
        </div></details>
        <div class="row end"><button type="submit" class="primary" ?disabled=${this.busy}>Draw answers</button></div>
        ${this.problem ? html`<hone-problem .problem=${this.problem}></hone-problem>` : nothing}
      </form>`;
  }

  private submit = async (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const number = (name: string) => Number(data.get(name));
    this.busy = true;
    this.problem = undefined;
    try {
      const job = await post<Job>(`/projects/${this.project}/samples`, {
        base: String(data.get('base')), responses_per_prompt: number('responses_per_prompt'), split: String(data.get('split')),
        max_tokens: number('max_tokens'), temperature: number('temperature'), top_p: number('top_p'),
        top_k: number('top_k'), min_p: number('min_p'), repetition_penalty: number('repetition_penalty'),
        dtype: String(data.get('dtype')),
        ...(data.get('seed') ? {seed: number('seed')} : {}),
      });
      this.fire('job-started', job, {bubbles: true});
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.busy = false;
    }
  };
}
