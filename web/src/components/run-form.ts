// Starting a run: every setting with its default and bounds in view; what is shown is what is sent.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {post, toProblem, type Problem} from '../api/http';
import type {Base, Critic, Project, Run, Snapshot} from '../api/types';
import {HoneElement} from '../base';
import {showHidden} from '../text/escape';
import {count} from '../text/format';
import {HYPERPARAMETERS, LEARNING_RATE, TARGETS} from '../text/run-settings';
import './problem';

/** @fires run-started - CustomEvent<Run> · cancel */
@customElement('hone-run-form')
export class HoneRunForm extends HoneElement {
  @property({attribute: false}) project?: Project;
  @property({attribute: false}) bases: Base[] = [];
  @property({attribute: false}) snapshots: Snapshot[] = [];
  @property({attribute: false}) critics: Critic[] = [];
  @state() private adapter: 'lora' | 'none' = 'lora';
  @state() private problem?: Problem;
  @state() private busy = false;

  override render() {
    return html`
      <form class="stack" @submit=${this.submit}>
        <div class="fields">
          <div class="field"><label for="run-base">Base</label>
            <select id="run-base" name="base" required>${this.bases.map((base) => html`<option value=${base.id}>${showHidden(base.name)}</option>`)}</select></div>
          <div class="field"><label for="run-snapshot">Snapshot</label>
            <select id="run-snapshot" name="snapshot" required>${this.snapshots.map((s) => html`<option value=${s.id}>#${s.number}${s.name ? ` ${showHidden(s.name)}` : ''} · ${count(s.rows.train)} pairs</option>`)}</select></div>
          <div class="field"><label for="run-model">Publishes to model</label>
            <input id="run-model" name="model" required maxlength="96" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" title="Latin letters, digits and . - _" .value=${this.project?.slug ?? ''} autocomplete="off" /></div>
          <div class="field"><label for="run-method">Method</label>
            <select id="run-method" name="method"><option value="dpo.sigmoid.sum">dpo.sigmoid.sum</option></select>
            <p class="fine">Direct preference optimization, summed log-probabilities</p></div>
        </div>
        <fieldset><legend>What is trained</legend>
          <div class="row">
            <label class="check"><input type="radio" name="adapter" value="lora" .checked=${this.adapter === 'lora'} @change=${() => (this.adapter = 'lora')} />LoRA adapter: less memory, small file</label>
            <label class="check"><input type="radio" name="adapter" value="none" .checked=${this.adapter === 'none'} @change=${() => (this.adapter = 'none')} />All weights</label>
          </div>
          ${this.adapter === 'lora' ? html`
            <div class="fields">
              <div class="field"><label for="run-rank">Rank</label><input id="run-rank" name="rank" type="number" min="1" max="512" step="1" value="16" required /><p class="fine">1 to 512, default 16</p></div>
              <div class="field"><label for="run-alpha">Alpha</label><input id="run-alpha" name="alpha" type="number" min="0.001" step="any" value="32" required /><p class="fine">scale = alpha / rank, default 32</p></div>
            </div>
            <fieldset class="bare"><legend>Layers</legend><div class="row">
              ${TARGETS.map((target) => html`<label class="check"><input type="checkbox" name="targets" value=${target} checked /><code>${target}</code></label>`)}</div></fieldset>` : nothing}
        </fieldset>
        <fieldset><legend>Hyperparameters</legend>
          <div class="fields">
            <div class="field"><label for="run-lr">Learning rate</label>
              <input id="run-lr" name="learning_rate" inputmode="decimal" required pattern="[0-9.]+([eE][+\\-]?[0-9]+)?" .value=${String(LEARNING_RATE[this.adapter])} />
              <p class="fine">over 0 to 1, default ${LEARNING_RATE[this.adapter]}</p></div>
            <div class="field"><label for="run-schedule">Schedule</label>
              <select id="run-schedule" name="schedule"><option>cosine</option><option>linear</option><option>constant</option></select><p class="fine">after the warm-up</p></div>
            ${HYPERPARAMETERS.map((h) => html`
              <div class="field"><label for="run-${h.name}">${h.label}</label>
                <input id="run-${h.name}" name=${h.name} type="number" min=${h.min} max=${h.max} step=${h.whole ? '1' : 'any'} .value=${h.value === null ? '' : String(h.value)} ?required=${h.value !== null} />
                <p class="fine">${h.help}</p></div>`)}
            <div class="field"><label for="run-seed">Seed</label><input id="run-seed" name="seed" type="number" min="0" step="1" placeholder="drawn" /><p class="fine">empty: drawn and recorded</p></div>
          </div>
        </fieldset>
        <fieldset><legend>Evaluation on held-out prompts</legend>
          <div class="fields">
            <div class="field"><label for="run-critic">Judge of the win rate</label>
              <select id="run-critic" name="critic"><option value="">none: held-out pairs only</option>${this.critics.map((c, i) => html`<option value=${c.id} ?selected=${i === 0}>${showHidden(c.name)} v${c.version}</option>`)}</select></div>
            <div class="field"><label for="run-emax">Longest answer (tokens)</label><input id="run-emax" name="eval_max_tokens" type="number" min="1" max="4096" value="128" required /><p class="fine">default 128</p></div>
            <div class="field"><label for="run-etemp">Temperature</label><input id="run-etemp" name="eval_temperature" type="number" min="0" max="5" step="any" value="0.7" required /><p class="fine">default 0.7</p></div>
          </div>
        </fieldset>
        <hone-problem .problem=${this.problem}></hone-problem>
        <div class="row end"><button type="button" class="quiet" @click=${() => this.fire('cancel')}>Cancel</button>
          <button type="submit" class="primary" ?disabled=${this.busy || !this.bases.length || !this.snapshots.length}>Start run</button></div>
      </form>`;
  }

  private submit = async (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const text = (name: string) => String(data.get(name) ?? '');
    const hyperparameters: Record<string, number | string | null> = {learning_rate: Number(text('learning_rate')), schedule: text('schedule')};
    for (const h of HYPERPARAMETERS) if (text(h.name) !== '') hyperparameters[h.name] = Number(text(h.name));
    this.busy = true;
    this.problem = undefined;
    try {
      const run = await post<Run>('/runs', {
        project: this.project!.id, method: text('method'), base: text('base'), snapshot: text('snapshot'), model: text('model'),
        adapter: this.adapter === 'none' ? 'none'
          : {type: 'lora', rank: Number(text('rank')), alpha: Number(text('alpha')), targets: data.getAll('targets').map(String)},
        ...(text('seed') ? {seed: Number(text('seed'))} : {}),
        hyperparameters,
        evaluation: {critic: text('critic') || null, max_tokens: Number(text('eval_max_tokens')), temperature: Number(text('eval_temperature'))},
      });
      this.fire('run-started', run, {bubbles: true});
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.busy = false;
    }
  };
}
