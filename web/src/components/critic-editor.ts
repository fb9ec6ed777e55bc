// Declarative rules as a form, or as the JSON they are; saving the same rules again changes nothing.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {toProblem, post, Problem} from '../api/http';
import type {Critic, CriticSpec, Rule, RuleType} from '../api/types';
import {HoneElement} from '../base';
import './problem';

interface Kind {
  type: RuleType;
  label: string;
  field?: 'value' | 'text' | 'pattern' | 'script';
}
const KINDS: Kind[] = [
  {type: 'max_words', label: 'at most this many words', field: 'value'},
  {type: 'min_words', label: 'at least this many words', field: 'value'},
  {type: 'max_chars', label: 'at most this many characters', field: 'value'},
  {type: 'min_chars', label: 'at least this many characters', field: 'value'},
  {type: 'max_sentences', label: 'at most this many sentences', field: 'value'},
  {type: 'contains', label: 'contains', field: 'text'},
  {type: 'not_contains', label: 'does not contain', field: 'text'},
  {type: 'starts_with', label: 'starts with', field: 'text'},
  {type: 'ends_with', label: 'ends with', field: 'text'},
  {type: 'matches', label: 'matches the pattern', field: 'pattern'},
  {type: 'not_matches', label: 'does not match the pattern', field: 'pattern'},
  {type: 'json', label: 'is valid JSON'},
  {type: 'script', label: 'is written in the script', field: 'script'},
];
const SCRIPTS = ['Latin', 'Cyrillic', 'Arabic', 'Han', 'Greek', 'Hebrew', 'Devanagari', 'Hangul', 'Hiragana', 'Thai'];

/** The rule with only the fields that its type has. */
export function cleanRule(rule: Rule): Rule {
  const kind = KINDS.find((k) => k.type === rule.type);
  const clean: Rule = {type: rule.type};
  if (kind?.field === 'value') clean.value = rule.value ?? 60;
  if (kind?.field === 'text') clean.text = rule.text ?? '';
  if (kind?.field === 'pattern') clean.pattern = rule.pattern ?? '';
  if (kind?.field === 'script') {
    clean.script = rule.script ?? 'Latin';
    if (rule.min_share !== undefined) clean.min_share = rule.min_share;
  }
  if ((kind?.field === 'text' || kind?.field === 'pattern') && rule.ignore_case !== undefined) clean.ignore_case = rule.ignore_case;
  if (rule.weight !== undefined && rule.weight !== 1) clean.weight = rule.weight;
  return clean;
}

/** @fires critic-saved - CustomEvent<Critic> · cancel */
@customElement('hone-critic-editor')
export class HoneCriticEditor extends HoneElement {
  @property() project = '';
  @property({attribute: false}) from?: Critic;
  @state() private name = '';
  @state() private rules: Rule[] = [{type: 'max_words', value: 60}];
  @state() private delta = 0.001;
  @state() private asJson = false;
  @state() private json = '';
  @state() private problem?: Problem;

  override connectedCallback() {
    super.connectedCallback();
    if (!this.from) return;
    this.name = this.from.name;
    this.rules = this.from.spec.rules.map((rule) => ({...rule}));
    this.delta = this.from.spec.delta ?? 0.001;
  }

  override render() {
    return html`
      <form class="stack" @submit=${this.save}>
        <div class="row spread">
          <div class="field grow"><label for="critic-name">Name</label>
            <input id="critic-name" required maxlength="80" autocomplete="off" .value=${this.name} placeholder="short-and-polite"
              @input=${(e: Event) => (this.name = (e.target as HTMLInputElement).value)} /></div>
          <div class="row" role="group" aria-label="Edit as">
            <button type="button" class="quiet" aria-pressed=${!this.asJson} @click=${() => this.showForm()}>Form</button>
            <button type="button" class="quiet" aria-pressed=${this.asJson} @click=${() => this.showJson()}>JSON</button>
          </div>
        </div>
        ${this.asJson ? this.renderJson() : this.renderRules()}
        <p class="fine">An answer's score is the weighted share of rules it keeps; a length bound fades to 0 at twice the bound. The higher score is preferred when they differ by at least the threshold, otherwise it is a tie; both bad when both score 0.</p>
        <hone-problem .problem=${this.problem}></hone-problem>
        <div class="row end"><button type="button" class="quiet" @click=${() => this.fire('cancel')}>Cancel</button>
          <button type="submit" class="primary">Save critic</button></div>
      </form>`;
  }

  private renderJson() {
    return html`<div class="field"><label for="critic-json">Rules as JSON</label>
      <textarea id="critic-json" class="code" rows="12" spellcheck="false" .value=${this.json}
        @input=${(e: Event) => (this.json = (e.target as HTMLTextAreaElement).value)}></textarea></div>`;
  }

  private renderRules() {
    return html`
      <fieldset class="rules"><legend>A good answer</legend>
        ${this.rules.map((rule, i) => this.renderRule(rule, i))}
        <div class="row spread">
          <button type="button" @click=${() => (this.rules = [...this.rules, {type: 'contains', text: ''}])}>Add a rule</button>
          <label class="inline">Threshold <input type="number" min="0" max="1" step="any" .value=${String(this.delta)}
            @input=${(e: Event) => (this.delta = Number((e.target as HTMLInputElement).value))} /></label>
        </div>
      </fieldset>`;
  }

  private renderRule(rule: Rule, i: number) {
    const kind = KINDS.find((k) => k.type === rule.type);
    const change = (part: Partial<Rule>) => (this.rules = this.rules.map((r, j) => (j === i ? {...r, ...part} : r)));
    const text = (e: Event) => (e.target as HTMLInputElement).value;
    const n = i + 1;
    return html`
      <div class="rule">
        <select aria-label="Rule ${n}" @change=${(e: Event) => change({type: text(e) as RuleType})}>
          ${KINDS.map((k) => html`<option value=${k.type} ?selected=${k.type === rule.type}>${k.label}</option>`)}</select>
        <span class="rule-value">
          ${kind?.field === 'value' ? html`<input type="number" min="1" step="1" required aria-label="Bound of rule ${n}" .value=${String(rule.value ?? 60)} @input=${(e: Event) => change({value: Number(text(e))})} />` : nothing}
          ${kind?.field === 'text' ? html`<input required aria-label="Text of rule ${n}" .value=${rule.text ?? ''} @input=${(e: Event) => change({text: text(e)})} />` : nothing}
          ${kind?.field === 'pattern' ? html`<input class="mono" required aria-label="Pattern of rule ${n}" .value=${rule.pattern ?? ''} @input=${(e: Event) => change({pattern: text(e)})} />` : nothing}
          ${kind?.field === 'script' ? html`<input required list="scripts" aria-label="Script of rule ${n}" .value=${rule.script ?? 'Latin'} @input=${(e: Event) => change({script: text(e)})} />
            <datalist id="scripts">${SCRIPTS.map((s) => html`<option value=${s}></option>`)}</datalist>` : nothing}
        </span>
        ${kind?.field === 'text' || kind?.field === 'pattern' ? html`<label class="check"><input type="checkbox" .checked=${rule.ignore_case ?? false}
          @change=${(e: Event) => change({ignore_case: (e.target as HTMLInputElement).checked})} />any case</label>` : html`<span></span>`}
        <label class="inline">weight <input type="number" min="0.01" max="100" step="any" .value=${String(rule.weight ?? 1)}
          @input=${(e: Event) => change({weight: Number(text(e))})} /></label>
        <button type="button" class="quiet small" aria-label="Remove rule ${n}" ?disabled=${this.rules.length === 1}
          @click=${() => (this.rules = this.rules.filter((_, j) => j !== i))}>✕</button>
      </div>`;
  }

  private spec(): CriticSpec {
    if (!this.asJson) return {rules: this.rules.map(cleanRule), delta: this.delta};
    try {
      return JSON.parse(this.json) as CriticSpec;
    } catch (error) {
      throw new Problem(0, 'Not JSON', `This is not JSON: ${(error as Error).message}`, 'not_json');
    }
  }
  private showJson(): void {
    if (this.asJson) return;
    this.json = JSON.stringify(this.spec(), null, 2);
    this.asJson = true;
  }
  private showForm(): void {
    if (!this.asJson) return;
    try {
      const spec = this.spec();
      if (!Array.isArray(spec.rules) || spec.rules.some((rule) => !KINDS.some((k) => k.type === rule.type)))
        throw new Problem(0, 'Unknown rule', 'The form knows "rules" with the listed types only; correct the JSON first.', 'unknown_rule');
      this.rules = spec.rules;
      this.delta = spec.delta ?? 0.001;
      this.asJson = false;
      this.problem = undefined;
    } catch (error) {
      this.problem = toProblem(error);
    }
  }
  private save = async (event: Event) => {
    event.preventDefault();
    this.problem = undefined;
    try {
      const critic = await post<Critic>(`/projects/${this.project}/critics`, {name: this.name, spec: this.spec()});
      this.fire('critic-saved', critic, {bubbles: true});
    } catch (error) {
      this.problem = toProblem(error);
    }
  };
}
