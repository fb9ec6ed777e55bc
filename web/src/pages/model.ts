// One published version: where it comes from, how good it is, its files, and how to load it.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {download} from '../api/download';
import {get, toProblem, type Problem} from '../api/http';
import type {ModelSummary, ModelVersion, RewardPart} from '../api/types';
import {copyText, HoneElement} from '../base';
import '../components/evaluation';
import '../components/problem';
import {href} from '../router';
import {showHidden} from '../text/escape';
import {bytes, plural, when} from '../text/format';
import {rewardText} from '../text/rewards';

@customElement('hone-page-model')
export class HonePageModel extends HoneElement {
  @property() name = '';
  @property({attribute: false}) version: number | null = null;
  @state() private model?: ModelSummary;
  @state() private about?: ModelVersion;
  @state() private problem?: Problem;

  override willUpdate(changed: Map<PropertyKey, unknown>) {
    if (changed.has('name') || changed.has('version')) void this.load();
  }
  private async load(): Promise<void> {
    this.about = undefined;
    const base = `/models/${encodeURIComponent(this.name)}`;
    try {
      this.model = await get<ModelSummary>(base);
      const version = this.version ?? this.model.latest_version;
      if (version) this.about = await get<ModelVersion>(`${base}/versions/${version}`);
      document.title = `${showHidden(this.name)} · Hone`;
      this.problem = undefined;
    } catch (error) {
      this.problem = toProblem(error);
    }
  }

  override render() {
    const v = this.about;
    if (this.problem) return html`<h1>Model</h1><hone-problem .problem=${this.problem} retryable @retry=${() => void this.load()}></hone-problem>`;
    if (!v) return this.model && !this.model.latest_version ? html`<h1><bdi>${showHidden(this.name)}</bdi></h1><p>No version is published yet.</p>` : nothing;
    const folders = [...new Set(v.files.map((f) => f.path.split('/')[0]!))].filter((f) => ['hf', 'reward', 'adapter', 'hone'].includes(f));
    return html`
      <p class="crumbs"><a href="#/models">Models</a> / <bdi>${showHidden(v.model)}</bdi></p>
      <div class="row spread"><h1><bdi>${showHidden(v.model)}</bdi> version ${v.version} ${v.task === 'reward' ? html`<span class="badge">reward model</span> ` : nothing}<span class="badge ${v.state === 'published' ? 'good' : ''}">${v.state}</span></h1>
        ${this.renderVersions(v)}</div>
      <div class="columns">
        <section class="card result"><h2>How good it is</h2><hone-evaluation .evaluation=${v.evaluation}></hone-evaluation></section>
        <section class="card"><h2>Where it comes from</h2>${this.renderLineage(v)}</section>
      </div>
      <section class="card"><h2>Download</h2>
        <div class="row">${folders.map((folder) => html`<a class="button ${folder === 'hf' || folder === 'reward' ? 'primary' : ''}" href=${this.archive(v, folder)} download @click=${this.fetchFile}>${FOLDERS[folder]} <span class="pill">.tar</span></a>`)}</div>
        <div class="table-scroll" tabindex="0" role="group" aria-label="Files"><table>
          <thead><tr><th>File</th><th class="num">Size</th><th>SHA-256</th></tr></thead>
          <tbody>${v.files.map((file) => html`<tr><td><a href=${this.file(v, file.path)} download @click=${this.fetchFile}>${showHidden(file.path)}</a></td><td class="num">${bytes(file.bytes)}</td><td><code class="hash fine">${file.sha256}</code></td></tr>`)}</tbody>
        </table></div></section>
      <section class="card"><h2>How to load it</h2>
        ${folders.includes('hf') ? this.renderSnippet('transformers', `tar -xf ${v.model}-${v.version}-hf.tar`, HF) : nothing}
        ${folders.includes('reward') ? this.renderSnippet('transformers', `tar -xf ${v.model}-${v.version}-reward.tar`, REWARD) : nothing}
        ${folders.includes('adapter') ? this.renderSnippet('PEFT, on the base it was trained from', `tar -xf ${v.model}-${v.version}-adapter.tar`, PEFT) : nothing}</section>`;
  }

  private renderVersions(v: ModelVersion) {
    const n = this.model?.latest_version ?? v.version;
    if (n <= 1) return nothing;
    return html`<nav aria-label="Versions" class="row">${Array.from({length: n}, (_, i) => n - i).slice(0, 12).map((i) =>
      html`<a class="button" href=${href('models', v.model, i)} aria-current=${i === v.version ? 'page' : nothing}>${i}</a>`)}</nav>`;
  }

  private renderLineage(v: ModelVersion) {
    const run = typeof v.run === 'string' ? v.run : v.run?.id;
    const spec = JSON.stringify(v.spec, null, 2);
    return html`<dl class="figures">
        <div><dt>Base</dt><dd><bdi>${showHidden(text(v.base))}</bdi></dd></div>
        <div><dt>Snapshot</dt><dd class="hash"><bdi>${showHidden(text(v.snapshot))}</bdi></dd></div>
        ${learntFrom(v.spec).map(([name, what]) => html`<div><dt>${name}</dt><dd><bdi>${showHidden(what)}</bdi></dd></div>`)}
        <div><dt>Run</dt><dd>${run ? html`<a href=${href('runs', run)}>its curves and attempts</a>` : '–'}</dd></div>
        <div><dt>Code</dt><dd class="mono hash">${showHidden(v.code_revision)}</dd></div>
        <div><dt>Published</dt><dd>${when(v.created_at)}</dd></div>
        <div><dt>Files</dt><dd>${plural(v.files.length, 'file')}, ${bytes(v.files.reduce((sum, f) => sum + f.bytes, 0))}</dd></div>
      </dl>
      <details><summary>Specification</summary><pre class="md-code" tabindex="0" role="group" aria-label="Specification"><code>${showHidden(spec ?? '')}</code></pre></details>`;
  }

  private renderSnippet(title: string, first: string, code: string) {
    const whole = `${first}\n\n${code}`;
    return html`<h3>${title}</h3><div class="md-code-holder"><pre class="md-code" tabindex="0" role="group" aria-label="Code for ${title}"><code>${whole}</code></pre>
      <button type="button" class="md-copy" @click=${async (e: Event) => { const b = e.currentTarget as HTMLElement; b.textContent = (await copyText(whole)) ? 'Copied' : 'Not allowed'; setTimeout(() => (b.textContent = 'Copy'), 1500); }}>Copy</button></div>`;
  }

  private fetchFile = (event: Event) => void download(event, (problem) => (this.problem = problem));
  private archive(v: ModelVersion, folder: string): string {
    return `/api/v1/models/${encodeURIComponent(v.model)}/versions/${v.version}/archive/${folder}`;
  }
  private file(v: ModelVersion, path: string): string {
    return `/api/v1/models/${encodeURIComponent(v.model)}/versions/${v.version}/files/${path.split('/').map(encodeURIComponent).join('/')}`;
  }
}

const FOLDERS: Record<string, string> = {hf: 'Whole model', reward: 'Reward model', adapter: 'LoRA adapter', hone: 'Records'};

const HF = `# Python
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("hf")
tokenizer = AutoTokenizer.from_pretrained("hf")
chat = [{"role": "user", "content": "Hello"}]
inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print(tokenizer.decode(model.generate(**inputs, max_new_tokens=128)[0]))`;

const REWARD = `# Python; for PPO and its kin: (score - offset) * scale, both in hone/reward.json
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained("reward", num_labels=1)
tokenizer = AutoTokenizer.from_pretrained("reward")
chat = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}]
inputs = tokenizer.apply_chat_template(chat, return_tensors="pt", return_dict=True)
with torch.no_grad():
    print(model(**inputs).logits[0, 0])`;

const PEFT = `# Python; "base" is the folder or hub name of the base
from peft import PeftModel
from transformers import AutoModelForCausalLM
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "adapter")`;

/** What the run learnt from beside its rows: rewards by their names, a teacher. */
function learntFrom(spec: unknown): [string, string][] {
  const {method, reward, gold, teacher} = (spec ?? {}) as {method?: string; reward?: RewardPart[]; gold?: RewardPart[]; teacher?: {label: string}};
  return [...(method ? [['Method', method] as [string, string]] : []),
    ...[['Reward', reward], ['Gold reward', gold]].flatMap(([title, parts]) => (Array.isArray(parts) ? [[title, rewardText(parts)] as [string, string]] : [])),
    ...(teacher ? [['Teacher', teacher.label] as [string, string]] : [])];
}

/** A base or snapshot as the record has it: a name, or an object with one. */
function text(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'object') return String(value);
  const record = value as Record<string, unknown>;
  const parts = [record.name, record.number !== undefined ? `#${record.number}` : undefined, record.root ? `root ${record.root}` : undefined,
    record.sha256 ? `sha256 ${String(record.sha256).slice(0, 12)}…` : undefined];
  return parts.filter((part) => part !== undefined && part !== null).join(', ') || JSON.stringify(value);
}
