// Starting a run: every setting with its default and bounds in view; what is shown is what is sent.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {keyed} from 'lit/directives/keyed.js';
import {post, toProblem, type Problem} from '../api/http';
import type {Base, Choice, Critic, Method, Project, Run, Snapshot} from '../api/types';
import {HoneElement} from '../base';
import {showHidden} from '../text/escape';
import {count} from '../text/format';
import {DEFAULT_METHOD, FAMILIES, settingsOf, TARGETS, valueOf, type Setting} from '../text/run-settings';
import './problem';

const NUMBER = '-?[0-9.]+([eE][+\\-]?[0-9]+)?';

/** @fires run-started - CustomEvent<Run> · cancel */
@customElement('hone-run-form')
export class HoneRunForm extends HoneElement {
  @property({attribute: false}) project?: Project;
  @property({attribute: false}) bases: Base[] = [];
  @property({attribute: false}) snapshots: Snapshot[] = [];
  @property({attribute: false}) critics: Critic[] = [];
  @property({attribute: false}) methods: Method[] = [];
  /** Published versions of the team: reward models to learn from, models to imitate. */
  @property({attribute: false}) versions: Choice[] = [];
  @state() private method = DEFAULT_METHOD;
  @state() private adapter: 'lora' | 'none' = 'lora';
  @state() private problem?: Problem;
  @state() private busy = false;

  private get chosen(): Method | undefined {
    return this.methods.find((m) => m.name === this.method);
  }
  private get rewardModels(): Choice[] {
    return this.versions.filter((v) => v.task === 'reward');
  }

  /** A verifier compares with an answer of every prompt: it is offered where a snapshot has them all. */
  private get verifiable(): boolean {
    return this.snapshots.some((s) => s.answers && s.answers.prompts > 0 && s.answers.answered === s.answers.prompts);
  }
  private get rewards(): boolean {
    return this.critics.length > 0 || this.rewardModels.length > 0 || this.verifiable;
  }

  override render() {
    const method = this.chosen;
    if (!method) return html`<p class="fine" role="status">Reading the methods…</p>`;
    const settings = settingsOf(method, this.adapter === 'lora');
    const draws = method.family === 'policy';
    const scores = method.family === 'reward';
    const snapshots = this.snapshots.filter((s) => draws || s.contents !== 'prompts');
    const ready = this.bases.length && snapshots.length && (!draws || this.rewards);
    return html`
      <form class="stack" @submit=${this.submit}>
        <div class="fields">
          <div class="field"><label for="run-base">Base</label>
            <select id="run-base" name="base" required>${this.bases.map((base) => html`<option value=${base.id}>${showHidden(base.name)}</option>`)}</select></div>
          <div class="field"><label for="run-snapshot">Snapshot</label>
            <select id="run-snapshot" name="snapshot" required>${snapshots.map((s) => html`<option value=${s.id}>#${s.number}${s.name ? ` ${showHidden(s.name)}` : ''} · ${count(s.rows.train)} ${s.contents === 'prompts' ? 'prompts' : 'pairs'}</option>`)}</select>
            ${snapshots.length ? nothing : html`<p class="fine" role="status">This method learns from judged answers, and the snapshots here hold prompts alone: freeze one of judgments first.</p>`}</div>
          <div class="field"><label for="run-model">Publishes to model</label>
            <input id="run-model" name="model" required maxlength="96" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" title="Latin letters, digits and . - _" .value=${this.project ? this.project.slug + (scores ? '-reward' : '') : ''} autocomplete="off" /></div>
        </div>
        <div class="field"><label for="run-method">Method</label>
          <select id="run-method" name="method" aria-describedby="run-formula" .value=${this.method} @change=${(e: Event) => (this.method = (e.target as HTMLSelectElement).value)}>
            ${FAMILIES.map(([family, title]) => {
              const of = this.methods.filter((m) => m.family === family);
              return of.length ? html`<optgroup label=${title}>${of.map((m) => html`<option value=${m.name} ?selected=${m.name === this.method}>${m.name}: ${m.what}</option>`)}</optgroup>` : nothing;
            })}</select>
          <p class="fine" id="run-formula">Minimises <span class="formula">${method.formula}</span></p></div>
        ${draws ? this.renderReward() : nothing}
        ${method.family === 'distillation' ? this.renderTeacher() : nothing}
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
        ${keyed(method.name, html`
          <fieldset><legend>Hyperparameters</legend>
            <div class="fields">
              ${settings.main.map((s) => this.renderSetting(s))}
              <div class="field"><label for="run-seed">Seed</label><input id="run-seed" name="seed" type="number" min="0" step="1" placeholder="drawn" /><p class="fine">empty: drawn and recorded</p></div>
              <div class="field"><label for="run-seeds">How many seeds</label><input id="run-seeds" name="seeds" type="number" min="1" max="64" step="1" value="1" required aria-describedby="run-seeds-help" /><p class="fine" id="run-seeds-help">from the seed on, one after another: mean and interval over all, as many times the time</p></div>
            </div>
            <details><summary>More settings (${settings.more.length})</summary><div class="fields more">${settings.more.map((s) => this.renderSetting(s))}</div></details>
          </fieldset>`)}
        ${scores ? html`<p class="fine">Measured on held-out pairs: how many it ranks right, beside always taking the longer answer, and how well its confidence fits.</p>` : html`
          <fieldset><legend>Evaluation on held-out prompts</legend>
            <div class="fields">
              <div class="field"><label for="run-critic">Judge of the win rate</label>
                <select id="run-critic" name="critic"><option value="">none: held-out rows only</option>${this.critics.map((c, i) => html`<option value=${c.id} ?selected=${i === 0}>${showHidden(c.name)} v${c.version}</option>`)}</select></div>
              <div class="field"><label for="run-emax">Longest answer (tokens)</label><input id="run-emax" name="eval_max_tokens" type="number" min="1" max="4096" value="128" required /><p class="fine">default 128</p></div>
              <div class="field"><label for="run-etemp">Temperature</label><input id="run-etemp" name="eval_temperature" type="number" min="0" max="5" step="any" value="0.7" required /><p class="fine">default 0.7</p></div>
            </div>
          </fieldset>`}
        <hone-problem .problem=${this.problem}></hone-problem>
        <div class="row end"><button type="button" class="quiet" @click=${() => this.fire('cancel')}>Cancel</button>
          <button type="submit" class="primary" ?disabled=${this.busy || !ready}>Start run</button></div>
      </form>`;
  }

  private renderReward() {
    const options = () => html`
      ${this.rewardModels.length ? html`<optgroup label="Reward models">${this.rewardModels.map((v) => html`<option value="model ${v.id}">${showHidden(v.model)} version ${v.version}</option>`)}</optgroup>` : nothing}
      ${this.critics.length ? html`<optgroup label="Rule critics of this project">${this.critics.map((c) => html`<option value="critic ${c.id}">${showHidden(c.name)} v${c.version}</option>`)}</optgroup>` : nothing}
      ${this.verifiable ? html`<optgroup label="Verifiers"><option value="type exact_answer">the prompt’s exact answer</option></optgroup>` : nothing}`;
    if (!this.rewards)
      return html`<p role="status">This method learns from a reward: make a rule critic, train and publish a reward model (a method rm.…), or import an answer for every prompt and make a snapshot first.</p>`;
    return html`
      <fieldset><legend>Reward</legend>
        <div class="fields">
          <div class="field"><label for="run-reward">Drawn answers are scored by</label>
            <select id="run-reward" name="reward" required>${options()}</select><p class="fine">trained on: the model will find whatever scores well, wanted or not</p></div>
          <div class="field"><label for="run-gold">Gold reward</label>
            <select id="run-gold" name="gold"><option value="">none</option>${options()}</select><p class="fine">measured on held-out prompts, never trained on: it shows when the reward is being gamed</p></div>
        </div>
      </fieldset>`;
  }

  private renderTeacher() {
    const models = this.versions.filter((v) => v.task !== 'reward');
    return html`
      <div class="field"><label for="run-teacher">Teacher</label>
        <select id="run-teacher" name="teacher" required>
          <optgroup label="Bases">${this.bases.map((b) => html`<option value=${b.id}>${showHidden(b.name)}</option>`)}</optgroup>
          ${models.length ? html`<optgroup label="Published models">${models.map((v) => html`<option value=${v.id}>${showHidden(v.model)} version ${v.version}</option>`)}</optgroup>` : nothing}
        </select><p class="fine">must read the same tokens as the base</p></div>`;
  }

  private renderSetting(s: Setting) {
    const id = `run-${s.name.replaceAll('_', '-')}`;
    const help = html`<p class="fine" id="${id}-help">${s.help}</p>`;
    if (s.kind === 'boolean')
      return html`<div class="field"><label class="check"><input id=${id} name=${s.name} type="checkbox" .checked=${s.preset === true} aria-describedby="${id}-help" />${s.label}</label>${help}</div>`;
    const control = s.kind === 'word' ? html`<select id=${id} name=${s.name} aria-describedby="${id}-help">${s.words.map((w) => html`<option ?selected=${w === s.preset}>${w}</option>`)}</select>`
      : s.kind === 'integer' ? html`<input id=${id} name=${s.name} type="number" min=${s.min ?? nothing} max=${s.max ?? nothing} step="1" .value=${textOf(s)} ?required=${!s.nullable} aria-describedby="${id}-help" />`
        : html`<input id=${id} name=${s.name} inputmode="decimal" pattern=${NUMBER} title="a number, such as 0.1 or 1e-6" .value=${textOf(s)} ?required=${!s.nullable} autocomplete="off" aria-describedby="${id}-help" />`;
    return html`<div class="field"><label for=${id}>${s.label}</label>${control}${help}</div>`;
  }

  private submit = async (event: Event) => {
    event.preventDefault();
    const method = this.chosen!;
    const data = new FormData(event.target as HTMLFormElement);
    const text = (name: string) => String(data.get(name) ?? '');
    const {main, more} = settingsOf(method, this.adapter === 'lora');
    const given = (s: Setting) => [s.name, valueOf(s, data.has(s.name) ? text(s.name) : null)];
    const reward = (name: string) => {
      const [kind, id] = text(name).split(' ');
      return kind ? {[name]: {[kind]: id}} : {};
    };
    this.busy = true;
    this.problem = undefined;
    try {
      const run = await post<Run>('/runs', {
        project: this.project!.id, method: method.name, base: text('base'), snapshot: text('snapshot'), model: text('model'),
        adapter: this.adapter === 'none' ? 'none'
          : {type: 'lora', rank: Number(text('rank')), alpha: Number(text('alpha')), targets: data.getAll('targets').map(String)},
        ...(text('seed') ? {seed: Number(text('seed'))} : {}),
        ...(Number(text('seeds')) > 1 ? {seeds: Number(text('seeds'))} : {}),
        hyperparameters: Object.fromEntries([...main, ...more].map(given)),
        ...(method.family === 'policy' ? {...reward('reward'), ...reward('gold')} : {}),
        ...(method.family === 'distillation' ? {teacher: text('teacher')} : {}),
        ...(method.family === 'reward' ? {} : {evaluation: {critic: text('critic') || null, max_tokens: Number(text('eval_max_tokens')), temperature: Number(text('eval_temperature'))}}),
      });
      this.fire('run-started', run, {bubbles: true});
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.busy = false;
    }
  };
}

function textOf(s: Setting): string {
  return s.preset === null ? '' : String(s.preset);
}
