// A project as its owner sees it: the road from prompts to a published model, one step after another.

import {html, nothing, type TemplateResult} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {download} from '../api/download';
import {call, get, getAll, post, toProblem, type Problem} from '../api/http';
import {session} from '../api/session';
import type {Base, Choice, Critic, Job, Method, ModelSummary, Progress, Project, Run, Snapshot} from '../api/types';
import {HoneElement} from '../base';
import '../components/critic-editor';
import '../components/import-panel';
import '../components/job-card';
import '../components/problem';
import '../components/run-form';
import '../components/sample-panel';
import '../components/stage';
import '../components/text';
import {go, href} from '../router';
import {showHidden} from '../text/escape';
import {ago, count, duration, figure, percent, plural, short, when} from '../text/format';
import {badgeOf, isFinal} from '../text/states';

const LOOK_AGAIN_MS = 8_000;
type Panel = '' | 'import' | 'sample' | 'critic' | 'run' | 'settings';

@customElement('hone-page-project')
export class HonePageProject extends HoneElement {
  @property() project = '';
  @state() private about?: Project;
  @state() private progress?: Progress;
  @state() private bases: Base[] = [];
  @state() private critics: Critic[] = [];
  @state() private snapshots: Snapshot[] = [];
  @state() private runs: Run[] = [];
  @state() private methods: Method[] = [];
  @state() private versions: Choice[] = [];
  @state() private jobs: Job[] = [];
  @state() private problem?: Problem;
  @state() private stepProblem: {step: string; problem: Problem} | undefined;
  @state() private panel: Panel = '';
  @state() private editing?: Critic;
  @state() private freezing = false;
  private timer = 0;
  private loads = 0;

  override connectedCallback() {
    super.connectedCallback();
    session.addEventListener('change', this.onSession);
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    session.removeEventListener('change', this.onSession);
    clearTimeout(this.timer);
  }
  override willUpdate(changed: Map<PropertyKey, unknown>) {
    if (changed.has('project')) void this.load();
  }
  private onSession = () => {
    if (session.state === 'in') void this.load();
  };

  private async load(): Promise<void> {
    clearTimeout(this.timer);
    // Loads overlap: an act reloads while the timer's load is under way. Only the newest may show
    // what it read, or a list from before the act would hide what the act made.
    const turn = ++this.loads;
    const id = this.project;
    const owner = session.may('engineer');
    try {
      const [about, progress] = await Promise.all([get<Project>(`/projects/${id}`), get<Progress>(`/projects/${id}/progress`)]);
      if (turn !== this.loads) return;
      this.about = about;
      this.progress = progress;
      document.title = `${showHidden(about.name)} · Hone`;
      if (owner) {
        const lists = await Promise.all([
          getAll<Base>('/bases'),
          getAll<Critic>(`/projects/${id}/critics`),
          getAll<Snapshot>(`/projects/${id}/snapshots`),
          getAll<Run>('/runs', {project: id}),
          get<{data: Job[]}>('/jobs', {project: id, limit: 20}).then((list) => list.data),
        ]);
        if (turn !== this.loads) return;
        [this.bases, this.critics, this.snapshots, this.runs, this.jobs] = lists;
        this.snapshots.sort((a, b) => b.number - a.number);
        this.runs.sort((a, b) => b.created_at.localeCompare(a.created_at));
      }
      this.problem = undefined;
    } catch (error) {
      if (turn !== this.loads) return;
      this.problem = toProblem(error);
    }
    if (!this.isConnected || id !== this.project) return;
    const busy = this.jobs.some((j) => !isFinal(j.state)) || this.runs.some((r) => !isFinal(r.state));
    this.timer = window.setTimeout(() => (document.visibilityState === 'visible' ? void this.load() : (this.timer = window.setTimeout(() => void this.load(), LOOK_AGAIN_MS))),
      busy ? LOOK_AGAIN_MS / 2 : LOOK_AGAIN_MS * 2);
  }

  override render() {
    const p = this.about;
    if (!p) return this.problem ? html`<hone-problem .problem=${this.problem} retryable @retry=${() => void this.load()}></hone-problem>` : nothing;
    const owner = session.may('engineer');
    return html`
      <p class="crumbs"><a href="#/">Projects</a> / project</p>
      <div class="row spread">
        <h1><bdi>${showHidden(p.name)}</bdi>${p.settings.paused ? html` <span class="badge warn">paused</span>` : nothing}</h1>
        <div class="row">${owner ? html`<button type="button" class="quiet" aria-expanded=${this.panel === 'settings'} @click=${() => this.toggle('settings')}>Guideline and settings</button>` : nothing}
          <a class="button primary" href=${href('projects', p.id, 'label')}>Label${p.counts.open ? html` <span class="pill">${count(p.counts.open)}</span>` : nothing}</a></div>
      </div>
      ${this.problem ? html`<hone-problem .problem=${this.problem} retryable @retry=${() => void this.load()}></hone-problem>` : nothing}
      ${this.panel === 'settings' ? this.renderSettings(p) : nothing}
      ${owner ? html`
        <div class="road" @imported=${this.onChange} @job-started=${this.onJob} @job-done=${this.onChange}>
          ${this.renderStep(1, 'prompts', 'Prompts', p.counts.prompts > 0, html`${plural(p.counts.prompts, 'prompt')}, ${count(p.counts.held_out_prompts)} held out for evaluation`, this.renderPrompts(p))}
          ${this.renderStep(2, 'answers', 'Answers', p.counts.comparisons > 0, html`${plural(p.counts.responses, 'answer')}, ${plural(p.counts.comparisons, 'comparison')}`, this.renderAnswers(p))}
          ${this.renderStep(3, 'judgments', 'Judgments', p.counts.judgments > 0, this.judgmentText(p), this.renderJudgments(p))}
          ${this.renderStep(4, 'snapshots', 'Snapshots', this.snapshots.length > 0, this.snapshots[0] ? html`${plural(this.snapshots.length, 'snapshot')}, newest with ${plural(this.snapshots[0].rows.train, this.snapshots[0].contents === 'prompts' ? 'training prompt' : 'training pair')}` : html`none yet`, this.renderSnapshots())}
          ${this.renderStep(5, 'runs', 'Runs', this.runs.some((r) => r.state === 'succeeded'), this.runs.length ? html`${plural(this.runs.length, 'run')}` : html`none yet`, this.renderRuns(p))}
        </div>`
        : html`<section class="card"><h2>Guideline</h2>${p.guideline ? html`<hone-text .text=${p.guideline}></hone-text>` : html`<p>No guideline yet.</p>`}</section>${this.renderProgress()}`}`;
  }

  private renderStep(n: number, id: string, title: string, done: boolean, summary: TemplateResult, body: TemplateResult) {
    const problem = this.stepProblem?.step === id ? this.stepProblem.problem : undefined;
    return html`
      <section class="step-card" aria-labelledby="step-${id}">
        <div class="step-no ${done ? 'done' : ''}" aria-hidden="true">${done ? '✓' : n}</div>
        <div class="step-body">
          <div class="step-head"><h2 id="step-${id}">${title}</h2><span class="fine">${summary}</span></div>
          ${body}
          ${problem ? html`<hone-problem .problem=${problem}></hone-problem>` : nothing}
        </div>
      </section>`;
  }

  private opener(panel: Panel, text: string, primary = false) {
    return html`<button type="button" class=${primary ? 'primary' : ''} aria-expanded=${this.panel === panel} @click=${() => this.toggle(panel)}>${text}</button>`;
  }

  private renderPrompts(p: Project) {
    return html`
      <div class="row">${this.opener('import', 'Import prompts or pairs', p.counts.prompts === 0)}</div>
      ${this.panel === 'import' ? html`<div class="panel"><hone-import-panel .project=${p.id}></hone-import-panel></div>` : nothing}`;
  }

  private renderAnswers(p: Project) {
    const jobs = this.jobs.filter((j) => j.kind === 'sample');
    return html`
      <div class="row">${p.counts.prompts ? this.opener('sample', 'Draw answers from a base', p.counts.comparisons === 0) : html`<span class="fine">Prompts first; imported pairs bring their answers along.</span>`}</div>
      ${this.panel === 'sample' ? html`<div class="panel"><hone-sample-panel .project=${p.id} .bases=${this.bases}></hone-sample-panel></div>` : nothing}
      ${this.renderJobs(jobs)}`;
  }

  private renderJobs(jobs: Job[]) {
    const active = jobs.filter((j) => !isFinal(j.state));
    const past = jobs.filter((j) => isFinal(j.state));
    const shown = [...active, ...past.slice(0, 1)];
    return shown.map((job) => html`<hone-job-card .job=${job}></hone-job-card>`);
  }

  private judgmentText(p: Project) {
    const kinds = p.counts.judgments_by_kind ?? {};
    const names: Record<string, [string, string]> = {person: ['by a person', 'by people'], rule: ['by critics', 'by critics'], import: ['imported', 'imported']};
    const parts = Object.entries(kinds).filter(([, n]) => n > 0).map(([kind, n]) => `${count(n)} ${names[kind]?.[n === 1 ? 0 : 1] ?? kind}`);
    return html`${plural(p.counts.judgments, 'judgment')}${parts.length ? ` (${parts.join(', ')})` : ''}`;
  }

  private renderProgress() {
    const pr = this.progress;
    if (!pr?.total) return nothing;
    return html`<div class="meter-line"><progress max=${pr.total} value=${pr.done} aria-label="Comparisons judged"></progress>
      <span>${count(pr.done)} of ${count(pr.total)} judged${pr.per_hour ? ` · ${figure(pr.per_hour, 3)} an hour` : ''}${pr.eta_s ? ` · about ${duration(pr.eta_s)} left` : ''}</span></div>`;
  }

  private renderJudgments(p: Project) {
    const jobs = this.jobs.filter((j) => j.kind === 'judge');
    return html`
      ${this.renderProgress()}
      ${p.counts.comparisons === 0 ? html`<p class="fine">Comparisons first.</p>` : nothing}
      <div class="row">
        <a class="button" href=${href('projects', p.id, 'label')}>Label by hand</a>
        ${this.opener('critic', 'New critic')}
      </div>
      ${this.panel === 'critic' ? html`<div class="panel"><hone-critic-editor .project=${p.id} .from=${this.editing}
        @cancel=${() => this.toggle('critic')} @critic-saved=${() => { this.panel = ''; this.editing = undefined; void this.load(); }}></hone-critic-editor></div>` : nothing}
      ${this.critics.length ? html`<div class="table-scroll" tabindex="0" role="group" aria-label="Critics"><table>
        <thead><tr><th>Critic</th><th class="num">Version</th><th>Rules</th><th>Made</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
        <tbody>${this.critics.map((critic) => html`<tr><td><bdi>${showHidden(critic.name)}</bdi></td><td class="num">${critic.version}</td>
          <td>${critic.spec.rules.map((r) => r.type.replaceAll('_', ' ')).join(', ')}</td><td>${ago(critic.created_at)}</td>
          <td class="actions"><button type="button" class="small" @click=${() => this.edit(critic)}>Edit</button>
            <button type="button" class="small" ?disabled=${p.counts.comparisons === 0} @click=${() => void this.judge(critic)}>Judge all</button></td></tr>`)}</tbody></table></div>` : nothing}
      ${this.renderJobs(jobs)}`;
  }

  private renderSnapshots() {
    return html`
      <div class="row">
        <button type="button" ?disabled=${this.freezing || !this.about?.counts.judgments} class=${this.about?.counts.judgments && !this.snapshots.length ? 'primary' : ''} @click=${() => void this.freeze('judgments')}>${this.freezing ? 'Freezing…' : 'Freeze a snapshot'}</button>
        <span class="fine">All judgments as they are now, under one hash; a run always trains on a snapshot.</span></div>
      <div class="row">
        <button type="button" ?disabled=${this.freezing || !this.about?.counts.prompts} @click=${() => void this.freeze('prompts')}>Freeze the prompts alone</button>
        <span class="fine">Judged or not, for methods that draw answers themselves and learn from a reward.</span></div>
      ${this.snapshots.length ? html`<div class="table-scroll" tabindex="0" role="group" aria-label="Snapshots"><table>
        <thead><tr><th>#</th><th class="num">Train</th><th class="num">Held out</th><th class="num">Ties</th><th class="num">Both bad</th><th>Judges</th><th>Agreement α</th><th>Mean strength</th><th>Slot 0 share</th><th>Root</th><th>Made</th></tr></thead>
        <tbody>${this.snapshots.map((s) => {
          const people = s.statistics?.agreement;
          const a = people && typeof people.alpha === 'number' ? people : s.statistics?.agreement_all;
          return html`<tr><td>${s.number}${s.contents === 'prompts' ? html` <span class="fine">prompts</span>` : nothing}${s.name && s.name !== `snapshot ${s.number}` ? html` <bdi>${showHidden(s.name)}</bdi>` : nothing}</td><td class="num">${count(s.rows.train)}</td><td class="num">${count(s.rows.held_out)}</td><td class="num">${count(s.rows.ties)}</td><td class="num">${count(s.rows.both_bad)}</td>
            <td>${Object.entries(s.judges ?? {}).filter(([, n]) => n > 0).map(([kind, n]) => `${count(n)} ${kind}`).join(', ') || '–'}</td>
            <td>${a && typeof a.alpha === 'number' ? html`${figure(a.alpha, 3)}${typeof a.low === 'number' && typeof a.high === 'number' ? html` <span class="fine">[${figure(a.low, 3)}, ${figure(a.high, 3)}]</span>` : nothing} <span class="fine">${a === people ? 'people' : 'all judges'}, ${plural(a.items, 'item')}, ${plural(a.judges, 'judge')}</span>` : html`<span class="fine">${s.contents === 'prompts' ? '–' : 'undefined: too few double judgments'}</span>`}</td>
            <td>${figure(s.statistics?.mean_strength, 3)}</td><td>${percent(s.statistics?.slot0_share)}</td>
            <td><code title=${s.root}>${short(s.root)}</code> <a href="/api/v1/snapshots/${s.id}/rows" download @click=${(e: Event) => void download(e, (problem) => (this.problem = problem))}>rows</a></td><td>${ago(s.created_at)}</td></tr>`;
        })}</tbody></table></div>` : nothing}`;
  }

  private renderRuns(p: Project) {
    const ready = this.snapshots.length > 0 && this.bases.length > 0;
    return html`
      <div class="row">${ready ? this.opener('run', 'Start a run', this.runs.length === 0) : html`<span class="fine">${this.bases.length ? 'A snapshot first.' : 'A base first: hone bases add NAME PATH, on the server.'}</span>`}</div>
      ${this.panel === 'run' ? html`<div class="panel"><hone-run-form .project=${p} .bases=${this.bases} .snapshots=${this.snapshots} .critics=${this.critics} .methods=${this.methods} .versions=${this.versions}
        @cancel=${() => this.toggle('run')} @run-started=${(e: CustomEvent<Run>) => go(href('runs', e.detail.id))}></hone-run-form></div>` : nothing}
      ${this.runs.length ? html`<ul class="plain runs">${this.runs.map((run) => html`
        <li class="run-line"><div class="row spread"><span><a href=${href('runs', run.id)}><bdi>${showHidden(run.model)}</bdi>${run.result ? ` version ${run.result.version}` : ''}</a> <span class="badge ${badgeOf(run.state)}">${run.state}</span></span>
          <span class="fine">${run.method} · snapshot #${run.snapshot.number} · ${when(run.created_at)}</span></div>
          <hone-stage .of=${run}></hone-stage>
          ${run.error && isFinal(run.state) ? html`<p class="fine">${showHidden(run.error.detail)}</p>` : nothing}</li>`)}</ul>` : nothing}`;
  }

  private renderSettings(p: Project) {
    return html`
      <form class="card stack" @submit=${this.saveSettings} aria-label="Guideline and settings">
        <div class="field"><label for="set-name">Name</label><input id="set-name" name="name" required maxlength="120" .value=${p.name} /></div>
        <div class="field"><label for="set-guideline">Guideline (Markdown), version ${p.guideline_version}</label>
          <textarea id="set-guideline" name="guideline" rows="10" .value=${p.guideline}></textarea>
          <p class="fine">A change makes a new version; judgments remember theirs.</p></div>
        <div class="fields">
          <div class="field"><label for="set-overlap">People for each comparison</label><input id="set-overlap" name="overlap" type="number" min="1" max="20" step="1" required .value=${String(p.settings.overlap)} /></div>
          <div class="field"><label for="set-held">Held-out share of prompts</label><input id="set-held" name="held_out_share" type="number" min="0" max="0.9" step="any" required .value=${String(p.settings.held_out_share)} /></div>
          <div class="field"><label for="set-lease">Lease (minutes)</label><input id="set-lease" name="lease_minutes" type="number" min="1" max="240" step="1" required .value=${String(p.settings.lease_minutes)} /></div>
        </div>
        <label class="check"><input type="checkbox" name="paused" .checked=${p.settings.paused ?? false} />Labelling is paused: nobody gets a comparison of this project</label>
        ${this.stepProblem?.step === 'settings' ? html`<hone-problem .problem=${this.stepProblem.problem}></hone-problem>` : nothing}
        <div class="row end"><button type="button" class="quiet" @click=${() => this.toggle('settings')}>Close</button><button type="submit" class="primary">Save</button></div>
      </form>`;
  }

  // ---- acts

  private toggle(panel: Panel): void {
    this.panel = this.panel === panel ? '' : panel;
    this.editing = undefined;
    this.stepProblem = undefined;
    const ready = this.panel === 'run' ? this.readForm() : this.updateComplete;
    if (this.panel) void ready.then(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      this.querySelector<HTMLElement>('.panel :is(input, select, textarea), form.card :is(input)')?.focus();
    });
  }
  private async readForm(): Promise<void> {
    try {
      await this.readMethods();
    } catch (error) {
      this.stepProblem = {step: 'runs', problem: toProblem(error)};
    }
    await this.updateComplete;
  }
  /** What the form of a run offers: only when it is opened, since it is long and seldom new. */
  private async readMethods(): Promise<void> {
    const [methods, models] = await Promise.all([getAll<Method>('/methods'), getAll<ModelSummary>('/models')]);
    const whole = await Promise.all(models.filter((m) => m.latest_version).map((m) => get<ModelSummary>(`/models/${encodeURIComponent(m.name)}`)));
    this.versions = whole.flatMap((m) => (Array.isArray(m.versions) ? m.versions.map((v) => ({id: v.id, model: m.name, version: v.version, task: m.task ?? 'policy'})) : []));
    this.methods = methods;
  }
  private edit(critic: Critic): void {
    this.panel = '';
    void this.updateComplete.then(() => {
      this.panel = 'critic';
      this.editing = critic;
    });
  }
  private onChange = () => void this.load();
  private onJob = () => {
    this.panel = '';
    void this.load();
  };

  private async step(step: string, act: () => Promise<unknown>): Promise<void> {
    this.stepProblem = undefined;
    try {
      await act();
      await this.load();
    } catch (error) {
      this.stepProblem = {step, problem: toProblem(error)};
    }
  }
  private judge(critic: Critic): Promise<void> {
    return this.step('judgments', () => post<Job>(`/projects/${this.project}/judge`, {critic: critic.id}));
  }
  private async freeze(contents: Snapshot['contents']): Promise<void> {
    this.freezing = true;
    await this.step('snapshots', () => post<Snapshot>(`/projects/${this.project}/snapshots`, {contents}));
    this.freezing = false;
  }
  private saveSettings = (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    void this.step('settings', async () => {
      this.about = await call<Project>('PATCH', `/projects/${this.project}`, {body: {
        name: String(data.get('name')), guideline: String(data.get('guideline')),
        settings: {overlap: Number(data.get('overlap')), held_out_share: Number(data.get('held_out_share')), lease_minutes: Number(data.get('lease_minutes')), paused: data.has('paused')},
      }});
      this.panel = '';
    });
  };
}
