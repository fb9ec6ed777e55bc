// One run: where it stands, live curves, what it was asked, what came of it.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {get, post, toProblem, type Problem} from '../api/http';
import {session} from '../api/session';
import type {Run, RunEvent, StageProgress} from '../api/types';
import {announce, HoneElement} from '../base';
import '../components/chart';
import '../components/evaluation';
import '../components/gold-curve';
import '../components/problem';
import '../components/seeds';
import '../components/stage';
import {LiveStream, type LiveState} from '../controllers/live';
import {href} from '../router';
import {showHidden} from '../text/escape';
import {ago, duration, figure, short, when} from '../text/format';
import {chartsOf, type ChartOf} from '../text/charts';
import {rewardText} from '../text/rewards';
import {isMainSetting} from '../text/run-settings';
import {bySeed, Curves, goldPoints} from '../text/series';
import {badgeOf, explain, isFinal} from '../text/states';

const LOG_LINES = 200;

@customElement('hone-page-run')
export class HonePageRun extends HoneElement {
  @property() run = '';
  @state() private about?: Run;
  @state() private problem?: Problem;
  @state() private cancelProblem?: Problem;
  @state() private liveState: LiveState = 'connecting';
  @state() private curves = new Curves();
  @state() private log: RunEvent[] = [];
  @state() private confirming = false;
  private live?: LiveStream;
  private timer = 0;
  private reading = false;

  override connectedCallback() {
    super.connectedCallback();
    session.addEventListener('change', this.onSession);
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    session.removeEventListener('change', this.onSession);
    this.live?.stop();
    clearTimeout(this.timer);
  }
  override willUpdate(changed: Map<PropertyKey, unknown>) {
    if (changed.has('run')) this.open();
  }
  private onSession = () => {
    if (session.state === 'in' && this.liveState === 'refused') this.open();
  };

  private open(): void {
    this.live?.stop();
    this.curves = new Curves();
    this.log = [];
    this.about = undefined;
    void this.read();
    this.live = new LiveStream(`/runs/${this.run}/events`, {
      onEvents: (events) => this.take(events),
      onState: (state) => {
        this.liveState = state;
        if (state === 'ended') void this.read();
      },
    });
  }

  private async read(): Promise<void> {
    clearTimeout(this.timer);
    if (this.reading) return;
    this.reading = true;
    try {
      const run = await get<Run>(`/runs/${this.run}`);
      if (this.about && !isFinal(this.about.state) && isFinal(run.state)) announce(`The run has ${run.state}.`);
      this.about = run;
      this.problem = undefined;
      document.title = `${showHidden(run.model)} · run · Hone`;
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.reading = false;
    }
    // The stream says what is new; this is the slow, sure look beside it.
    if (this.isConnected && !(this.about && isFinal(this.about.state))) this.timer = window.setTimeout(() => void this.read(), 5_000);
  }

  private take(events: RunEvent[]): void {
    let changed = false;
    for (const event of events) {
      const data = event.data ?? {};
      if (event.type === 'metrics') {
        const values = (data.values ?? data) as Record<string, unknown>;
        const step = Number(data.step ?? values.step);
        if (Number.isFinite(step)) this.curves.add(step, values);
        if (typeof data.total_steps === 'number') this.curves.totalSteps = data.total_steps;
        continue;
      }
      if (event.type === 'progress') {
        if (this.about && !isFinal(this.about.state)) {
          const before = this.about.progress;
          this.about = {...this.about, waiting: null, progress: {...(before ?? {stage: null}), ...(data as unknown as StageProgress)}};
        }
        continue;
      }
      this.log.push(event);
      changed = true;
    }
    if (this.log.length > LOG_LINES) this.log.splice(0, this.log.length - LOG_LINES);
    if (changed) {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.read(), 300);
    }
    this.requestUpdate();
  }

  override render() {
    const run = this.about;
    if (!run) return this.problem ? html`<hone-problem .problem=${this.problem} retryable @retry=${() => void this.read()}></hone-problem>` : nothing;
    const active = !isFinal(run.state);
    return html`
      <p class="crumbs"><a href=${href('projects', run.project)}>Project</a> / run</p>
      <div class="row spread">
        <h1><bdi>${showHidden(run.model)}</bdi> <span class="badge ${badgeOf(run.state)}">${run.state}</span></h1>
        <div class="row">
          ${active ? html`<span class="fine live-note ${this.liveState}">${this.liveText()}</span>` : nothing}
          ${run.result ? html`<a class="button primary" href=${href('models', run.result.model, run.result.version)}>Open version ${run.result.version}</a>` : nothing}
          ${active && session.may('engineer') ? this.confirming
            ? html`<span>Stop this run?</span><button type="button" class="danger" @click=${() => void this.cancel()}>Yes, cancel it</button><button type="button" @click=${() => (this.confirming = false)}>Go on</button>`
            : html`<button type="button" ?disabled=${run.state === 'cancelling'} @click=${() => (this.confirming = true)}>Cancel run</button>` : nothing}
        </div>
      </div>
      <p class="fine">${run.method} on <bdi>${showHidden(run.base.name)}</bdi> · snapshot #${run.snapshot.number} · ${this.adapterText(run)} · started ${ago(run.started_at ?? run.created_at)}${run.finished_at && run.started_at ? `, took ${duration((Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000)}` : ''}</p>
      <hone-problem .problem=${this.cancelProblem}></hone-problem>
      <hone-stage .of=${run}></hone-stage>
      ${this.renderEnd(run)}
      <section class="charts" aria-label="Curves">
        ${chartsOf(run.method, !!run.reward, this.curves.names).map((c) => this.renderChart(run, c))}
      </section>
      ${run.reward ? html`<hone-gold-curve .points=${this.goldOf(run)}></hone-gold-curve>` : nothing}
      <div class="columns">
        <section class="card"><h2>What was asked</h2>${this.renderSpec(run)}</section>
        <section class="card"><h2>Attempts</h2>${this.renderAttempts(run)}
          <details><summary>Latest figures</summary><dl class="figures">${this.curves.names.map((name) => html`<div><dt class="mono">${name}</dt><dd>${figure(this.curves.latest(name))}</dd></div>`)}</dl></details>
          <details><summary>Events (${this.log.length})</summary><ol class="log plain">${this.log.slice(-LOG_LINES).reverse().map((e) => html`<li><time>${when(e.at)}</time> <b>${e.type}</b> <bdi>${showHidden(e.message ?? '')}</bdi></li>`)}</ol></details>
        </section>
      </div>`;
  }

  /** Of several seeds the newest one's line stands before the earlier ones'. */
  private renderChart(run: Run, c: ChartOf) {
    const count = run.seeds?.length ?? 1;
    const steps = this.curves.totalSteps / count;
    const lines = count > 1 ? bySeed(this.curves.of(c.name), steps) : [[...this.curves.of(c.name)]];
    return html`<hone-chart label=${c.label} help=${c.help} of=${count > 1 && lines.length ? `seed ${run.seeds![lines.length - 1]}` : ''} .points=${lines[lines.length - 1] ?? []} .others=${lines.slice(0, -1)}
      .total=${steps} .guide=${c.guide} ?exact=${c.exact}></hone-chart>`;
  }
  /** Of several seeds the newest one's: two seeds' ways from the base are no one way. */
  private goldOf(run: Run) {
    const points = goldPoints(this.curves);
    const steps = this.curves.totalSteps / (run.seeds?.length ?? 1);
    const seedAt = (step: number) => Math.ceil(step / steps);
    return run.seeds ? points.filter((p) => seedAt(p.step) === seedAt(points[points.length - 1]!.step)) : points;
  }

  private liveText(): string {
    return this.liveState === 'live' ? 'live' : this.liveState === 'waiting' ? 'connection lost, trying again' : this.liveState === 'refused' ? 'no live view' : 'connecting';
  }
  private adapterText(run: Run): string {
    if (run.adapter === 'none') return 'all weights';
    return typeof run.adapter === 'object' ? `LoRA rank ${run.adapter.rank}` : 'LoRA';
  }

  private renderEnd(run: Run) {
    if (run.state === 'succeeded')
      return html`${run.result?.seeds ? html`<section class="card result"><h2>All seeds</h2><hone-seeds .result=${run.result.seeds}></hone-seeds></section>` : nothing}
        <section class="card result"><h2>Evaluation on held-out rows${run.result?.seeds ? ` of seed ${run.result.seeds.published}` : ''}</h2><hone-evaluation .evaluation=${run.result?.evaluation ?? null}></hone-evaluation></section>`;
    if (run.state === 'failed' || run.state === 'dead') {
      const why = explain(run.state, run.error);
      return html`<section class="problem" role="alert"><h2>${showHidden(run.error?.detail ?? 'It failed without a reason.')}</h2>
        <p><b>Whose fault:</b> ${why.whose}</p><p><b>What next:</b> ${why.next}</p>
        ${run.error?.code ? html`<p class="fine">code ${showHidden(run.error.code)}</p>` : nothing}</section>`;
    }
    if (run.state === 'cancelled') return html`<div class="notice">This run was cancelled. Nothing was published.</div>`;
    return nothing;
  }

  private renderSpec(run: Run) {
    const rows: [string, string][] = [
      ['Method', run.method], ['Base', run.base.name], ['Snapshot', `#${run.snapshot.number}, root ${short(run.snapshot.root)}`],
      ...(run.reward ? [['Reward', rewardText(run.reward)] as [string, string]] : []),
      ...(run.gold ? [['Gold reward', rewardText(run.gold)] as [string, string]] : []),
      ...(run.teacher ? [['Teacher', run.teacher.label] as [string, string]] : []),
      run.seeds ? ['Seeds', run.seeds.join(', ')] : ['Seed', String(run.seed)],
      ...([['of fresh weights', run.init_seed], ['of the order', run.order_seed], ['of drawn answers', run.sample_seed]] as const)
        .flatMap(([what, seed]): [string, string][] => typeof seed === 'number' ? [[`Seed ${what}`, String(seed)]] : []),
      ...(typeof run.adapter === 'object' ? [['LoRA', `rank ${run.adapter.rank}, alpha ${run.adapter.alpha}, ${run.adapter.targets.join(' ')}`] as [string, string]] : []),
    ];
    const settings = Object.entries(run.hyperparameters ?? {}).filter(([, v]) => v !== null);
    const show = (list: typeof settings) => list.map(([k, v]): [string, string] => [k.replaceAll('_', ' '), typeof v === 'number' ? figure(v) : String(v)]);
    const table = (list: [string, string][]) => html`<dl class="figures">${list.map(([name, value]) => html`<div><dt>${showHidden(name)}</dt><dd><bdi>${showHidden(value)}</bdi></dd></div>`)}</dl>`;
    const more = settings.filter(([k]) => !isMainSetting(k));
    return html`${table([...rows, ...show(settings.filter(([k]) => isMainSetting(k)))])}
      ${more.length ? html`<details><summary>More settings (${more.length})</summary>${table(show(more))}</details>` : nothing}`;
  }

  private renderAttempts(run: Run) {
    if (!run.attempts?.length) return html`<p class="fine">No worker has taken it yet.</p>`;
    return html`<div class="table-scroll" tabindex="0" role="group" aria-label="Attempts"><table>
      <thead><tr><th>#</th><th>Worker</th><th>Started</th><th class="num">Last step</th><th>End</th></tr></thead>
      <tbody>${run.attempts.map((a) => html`<tr><td>${a.epoch}</td><td><bdi>${showHidden(a.worker ?? '–')}</bdi></td><td>${when(a.started_at)}</td><td class="num">${a.last_step ?? '–'}</td>
        <td>${a.outcome ?? (a.ended_at ? 'ended' : 'at work')}${a.blame ? html` <span class="fine">(${a.blame})</span>` : nothing}</td></tr>`)}</tbody></table></div>`;
  }

  private async cancel(): Promise<void> {
    this.confirming = false;
    this.cancelProblem = undefined;
    try {
      this.about = await post<Run>(`/runs/${this.run}/cancel`);
    } catch (error) {
      this.cancelProblem = toProblem(error);
    }
    void this.read();
  }
}
