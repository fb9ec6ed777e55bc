// Bringing prompts or preference pairs in: a file or pasted lines, a dry run, errors by line.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {toProblem, type Problem} from '../api/http';
import type {ImportReport, LineError} from '../api/types';
import {upload} from '../api/upload';
import {HoneElement} from '../base';
import {showHidden} from '../text/escape';
import {bytes, count, duration, plural} from '../text/format';
import './problem';

const EXAMPLE = '{"prompt": "How do I boil an egg?"}\n{"prompt": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Name a good soup."}]}';

/** @fires imported */
@customElement('hone-import-panel')
export class HoneImportPanel extends HoneElement {
  @property() project = '';
  @state() private file?: File;
  @state() private text = '';
  @state() private report?: ImportReport;
  @state() private wasDry = false;
  @state() private problem?: Problem;
  @state() private sent = 0;
  @state() private total = 0;
  @state() private busy = false;
  private started = 0;
  private stopper?: AbortController;

  override render() {
    const has = Boolean(this.file || this.text.trim());
    return html`
      <form class="stack" @submit=${(e: Event) => { e.preventDefault(); void this.go(e, false); }}>
        <div class="drop" @dragover=${(e: DragEvent) => e.preventDefault()} @drop=${this.onDrop}>
          <div class="field"><label for="import-file">A JSONL file (up to 256 MB)</label>
            <input id="import-file" type="file" accept=".jsonl,.ndjson,.json,application/jsonl" @change=${this.onFile} /></div>
          <div class="field"><label for="import-text">or paste lines</label>
            <textarea id="import-text" class="code" rows="4" spellcheck="false" placeholder=${EXAMPLE} ?disabled=${Boolean(this.file)}
              .value=${this.text} @input=${(e: Event) => (this.text = (e.target as HTMLTextAreaElement).value)}></textarea></div>
        </div>
        <div class="fields wide">
          <div class="field"><label for="import-format">Format</label>
            <select id="import-format" name="format">
              <option value="auto">Find out</option><option value="prompts">Prompts</option>
              <option value="trl">Pairs (prompt, chosen, rejected)</option><option value="hh">HH transcripts</option>
            </select></div>
          <div class="field"><label for="import-split">Use for</label>
            <select id="import-split" name="split">
              <option value="auto">Training and held-out, drawn by prompt</option><option value="train">Training only</option>
              <option value="held_out">Held out only (evaluation)</option>
            </select></div>
          <div class="field"><label for="import-mode">Bad lines</label>
            <select id="import-mode" name="mode">
              <option value="all_or_nothing">refuse the whole file</option><option value="keep_good">leave them out, and list them</option>
            </select></div>
        </div>
        <div class="row end">
          ${this.busy ? html`<span class="grow">${this.renderSending()}</span><button type="button" @click=${() => this.stopper?.abort()}>Stop</button>` : nothing}
          <button type="button" ?disabled=${!has || this.busy} @click=${(e: Event) => void this.go(e, true)}>Check only</button>
          <button type="submit" class="primary" ?disabled=${!has || this.busy}>Import</button>
        </div>
        <hone-problem .problem=${this.problem}></hone-problem>
        <div role="status">${this.report ? this.renderReport(this.report) : nothing}</div>
      </form>`;
  }

  private renderSending() {
    if (!this.total || this.sent >= this.total) return html`<span>Reading the lines on the server…</span>`;
    const passed = (performance.now() - this.started) / 1000;
    return html`<progress aria-label="Upload" max=${this.total} value=${this.sent}></progress>
      <span class="fine">${bytes(this.sent)} of ${bytes(this.total)}, about ${duration((passed / Math.max(1, this.sent)) * (this.total - this.sent))} left</span>`;
  }

  private renderReport(r: ImportReport) {
    const added = [plural(r.added.prompts, 'prompt'), plural(r.added.responses, 'answer'), plural(r.added.comparisons, 'comparison'), plural(r.added.judgments, 'judgment'),
      ...(r.added.answers ? [`${plural(r.added.answers, 'answer')} for verifiers`] : [])];
    return html`
      <div class="report ${r.refused ? 'warn' : 'good'}">
        <p><b>${this.wasDry ? 'This would add' : 'Added'}: ${added.join(', ')}.</b>
          ${count(r.rows)} of ${plural(r.lines, 'line')} read as ${r.format}${r.duplicates ? html`; ${plural(r.duplicates, 'duplicate')} left as they were` : nothing}${r.refused ? html`; <b>${count(r.refused)} refused</b>` : nothing}.</p>
        ${this.renderLines('Refused', r.errors)}${this.renderLines('Warnings', r.warnings)}
      </div>`;
  }
  private renderLines(title: string, lines: LineError[]) {
    if (!lines?.length) return nothing;
    return html`<details ?open=${lines.length <= 10}><summary>${title} (${lines.length})</summary>
      <ul class="problem-list">${lines.map((e) => html`<li>${e.line ? html`<b>line ${e.line}</b> ` : nothing}${e.pointer ? html`<code>${showHidden(e.pointer)}</code> ` : nothing}<bdi>${showHidden(e.detail)}</bdi></li>`)}</ul></details>`;
  }

  private onFile = (event: Event) => (this.file = (event.target as HTMLInputElement).files?.[0]);
  private onDrop = (event: DragEvent) => {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    this.file = file;
    const input = this.querySelector<HTMLInputElement>('#import-file')!;
    input.files = event.dataTransfer!.files;
  };

  private async go(event: Event, dry: boolean): Promise<void> {
    const data = new FormData((event.target as HTMLElement).closest('form')!);
    this.busy = true;
    this.problem = this.report = undefined;
    this.sent = this.total = 0;
    this.started = performance.now();
    this.stopper = new AbortController();
    try {
      this.report = await upload<ImportReport>(`/projects/${this.project}/imports`, {
        format: String(data.get('format')), split: String(data.get('split')), mode: String(data.get('mode')), dry_run: dry || undefined,
      }, this.file ?? this.text, 'application/jsonl', (sent, total) => {
        this.sent = sent;
        this.total = total;
      }, this.stopper.signal);
      this.wasDry = dry;
      if (!dry) {
        this.text = '';
        this.file = undefined;
        this.querySelector<HTMLInputElement>('#import-file')!.value = '';
        this.fire('imported', undefined, {bubbles: true});
      }
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.busy = false;
    }
  }
}
