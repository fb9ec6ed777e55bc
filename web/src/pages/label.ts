// The labelling page: fetches and leases, hands answers to the outbox, tells how far the work is.

import {html, nothing} from 'lit';
import {customElement, property, query, state} from 'lit/decorators.js';
import {newKey, outbox} from '../api/answers';
import {call, get, identity, Problem, send, toProblem} from '../api/http';
import {session} from '../api/session';
import type {Answer, Item, MyJudgment, Progress, Project, QueueReply} from '../api/types';
import {announce, HoneElement} from '../base';
import '../components/comparison';
import type {HoneComparison} from '../components/comparison';
import '../components/dock';
import '../components/key-hints';
import type {HoneKeyHints} from '../components/key-hints';
import '../components/outbox-badge';
import '../components/problem';
import '../components/theme-switch';
import {ActivityClock} from '../controllers/clock';
import {KeyController} from '../controllers/keys';
import {LeaseKeeper, RENEW_EVERY_MS} from '../controllers/leases';
import type {Entry, Sent} from '../controllers/outbox';
import {UNDO_DEPTH, Work, type Past} from '../controllers/work';
import {href} from '../router';
import {nameOfAnswer, ofKey, SKIPS} from '../text/answers';
import {showHidden} from '../text/escape';
import {count, duration, words} from '../text/format';
import {renderMarkdown} from '../text/markdown';

/** How long the pressed answer is seen before the next comparison replaces it. */
const ADVANCE_MS = 90;
const SAVED_SHOWN_MS = 10_000;
const PROGRESS_EVERY_MS = 60_000;
const ASK_AGAIN_MS = 15_000;

@customElement('hone-page-label')
export class HonePageLabel extends HoneElement {
  @property() project = '';
  @state() private about?: Project;
  @state() private progress?: Progress;
  @state() private median_s: number | null = null;
  @state() private problem?: Problem;
  @state() private given: Answer | null = null;
  @state() private busy = false;
  @state() private seen = true;
  @state() private raw = false;
  @state() private diff = false;
  @state() private drawer = false;
  @state() private skipping = false;
  @state() private saved = '';
  @state() private narrow = false;
  @state() private leaseWarning = false;

  @query('hone-comparison') private comparison?: HoneComparison;
  @query('hone-key-hints') private hints?: HoneKeyHints;

  private work!: Work;
  private clock = new ActivityClock(() => performance.now());
  private leases = new LeaseKeeper({
    held: () => this.work.held,
    idle_ms: () => this.clock.idle_ms,
    lease_ms: () => (this.about?.settings.lease_minutes ?? 15) * 60_000,
    now: () => performance.now(),
    renew: (ids) => send('POST', '/assignments/renew', {body: {ids}}),
    // keepalive: the request outlives the page. A beacon could not carry the CSRF header.
    release: (id) => send('POST', `/assignments/${id}/release`, {body: {}, keepalive: true, quiet401: true}),
  });
  protected keys = new KeyController(this, (name) => this.act(name));
  private shown: string | undefined;
  private savedTimer = 0;
  private timers: number[] = [];
  private againTimer = 0;
  private media = window.matchMedia('(max-width: 720px)');

  override connectedCallback() {
    super.connectedCallback();
    document.documentElement.classList.add('labelling');
    this.work = new Work({
      next: async (n, holding) => {
        const reply = await call<QueueReply>('POST', `/projects/${this.project}/queue/next`, {body: {n, holding}});
        this.leases.granted();
        return reply;
      },
      answered: () => outbox.pendingAssignments(),
    });
    this.work.addEventListener('change', this.onWork);
    outbox.addEventListener('change', this.onOutbox);
    outbox.addEventListener('sent', this.onSent);
    outbox.addEventListener('refused', this.onRefused);
    session.addEventListener('change', this.onSession);
    this.media.addEventListener('change', this.onMedia);
    this.narrow = this.media.matches;
    for (const name of ['pointerdown', 'keydown', 'wheel', 'touchmove'] as const)
      window.addEventListener(name, this.onInput, {passive: true, capture: true});
    document.addEventListener('visibilitychange', this.onVisible);
    window.addEventListener('pagehide', this.onLeave);
    window.addEventListener('pageshow', this.onBack);
    this.timers = [
      window.setInterval(() => void this.leases.renew(), RENEW_EVERY_MS),
      window.setInterval(() => void this.readProgress(), PROGRESS_EVERY_MS),
      window.setInterval(() => (this.leaseWarning = this.leases.ending), 5_000),
    ];
    void this.begin();
    void navigator.storage?.persist?.().catch(() => false);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    document.documentElement.classList.remove('labelling');
    this.leases.release();
    this.work.removeEventListener('change', this.onWork);
    outbox.removeEventListener('change', this.onOutbox);
    outbox.removeEventListener('sent', this.onSent);
    outbox.removeEventListener('refused', this.onRefused);
    session.removeEventListener('change', this.onSession);
    this.media.removeEventListener('change', this.onMedia);
    for (const name of ['pointerdown', 'keydown', 'wheel', 'touchmove'] as const)
      window.removeEventListener(name, this.onInput, {capture: true});
    document.removeEventListener('visibilitychange', this.onVisible);
    window.removeEventListener('pagehide', this.onLeave);
    window.removeEventListener('pageshow', this.onBack);
    this.timers.forEach((timer) => clearInterval(timer));
    clearTimeout(this.againTimer);
    clearTimeout(this.savedTimer);
  }

  private async begin(): Promise<void> {
    const first = this.work.start();
    this.readingPast = this.readPast();
    try {
      this.about = await get<Project>(`/projects/${this.project}`);
      document.title = `Label · ${showHidden(this.about.name)} · Hone`;
    } catch (error) {
      this.problem = toProblem(error);
    }
    await Promise.all([first, this.readProgress(), this.readingPast]);
  }

  // ---- what is shown

  override render() {
    const item = this.work.current;
    return html`
      <div class="label-page">
        ${this.renderTop()}
        <main class="label-main" id="main" tabindex="-1">
          <h1 class="visually-hidden">Compare two answers</h1>
          ${this.problem ? html`<hone-problem .problem=${this.problem}></hone-problem>` : nothing}
          ${this.leaseWarning ? html`<div class="notice" role="status">You have been away for a while: this comparison goes back to the queue soon. Any key or touch keeps it for you.</div>` : nothing}
          ${item ? html`
            <hone-comparison .item=${item} .raw=${this.raw} .diff=${this.diff} .narrow=${this.narrow}
              @seen=${(e: CustomEvent<boolean>) => (this.seen = e.detail)}></hone-comparison>`
            : this.renderEmpty()}
          ${this.drawer ? this.renderDrawer() : nothing}
        </main>
        ${item ? html`
          <hone-dock role="region" aria-label="Your answer" .given=${this.given ?? item.answer} .asleep=${!this.seen} .saved=${this.saved}
            .note=${this.seen ? '' : 'Look at both answers first.'}
            .skipping=${this.skipping} .undoable=${this.work.past.length > 0}
            @answer=${(e: CustomEvent<Answer>) => void this.give(e.detail)}
            @skipping=${(e: CustomEvent<boolean>) => (this.skipping = e.detail)}
            @undo=${() => void this.undo()}></hone-dock>` : nothing}
        <hone-key-hints></hone-key-hints>
      </div>`;
  }

  private renderTop() {
    const p = this.progress;
    return html`
      <header class="label-top">
        <a class="back" href=${session.may('engineer') ? href('projects', this.project) : '#/'} aria-label="Leave labelling">
          <span aria-hidden="true">←</span> <bdi class="ellipsis">${showHidden(this.about?.name ?? 'Project')}</bdi></a>
        ${p ? html`
          <span class="label-count" title="judged comparisons of all">
            <progress max=${Math.max(1, p.total)} value=${p.done} aria-label="Comparisons judged"></progress>
            <b>${count(p.done)}</b> / ${count(p.total)}</span>
          <span class="label-pace">${count(p.mine_today)} by you today${this.median_s ? html` · ${duration(this.median_s)} each` : nothing}${p.eta_s ? html` · about ${duration(p.eta_s)} left` : nothing}</span>` : nothing}
        <span class="grow"></span>
        <hone-outbox-badge></hone-outbox-badge>
        <button type="button" class="quiet tool" aria-pressed=${this.raw} aria-keyshortcuts="r" title="Raw text (R)" @click=${() => (this.raw = !this.raw)}>Raw</button>
        <button type="button" class="quiet tool" aria-pressed=${this.diff} aria-keyshortcuts="d" title="Tint the differences (D)" @click=${() => (this.diff = !this.diff)}>Diff</button>
        <button type="button" class="quiet tool" aria-expanded=${this.drawer} aria-keyshortcuts="g" title="Guideline (G)" @click=${() => this.toggleDrawer()}>Guideline</button>
        <button type="button" class="quiet tool" aria-keyshortcuts="?" title="Keys (?)" @click=${() => this.hints?.show()}>Keys</button>
        <hone-theme-switch></hone-theme-switch>
      </header>`;
  }

  private renderEmpty() {
    const w = this.work;
    if (w.state === 'loading')
      return html`<div class="empty" role="status"><p>${outbox.waiting && outbox.reason ? 'Your answers are waiting to be sent; the next comparisons come when the server can be reached.' : 'Getting the next comparisons…'}</p></div>`;
    if (w.state === 'problem')
      return html`<div class="empty"><h2>No comparison could be fetched</h2>
        <hone-problem .problem=${toProblem(w.problem)}></hone-problem>
        <p>${outbox.waiting ? `${outbox.waiting} of your answers are kept here and will be sent. ` : ''}The page asks again by itself.</p>
        <button type="button" class="primary" @click=${() => void w.retry()}>Ask now</button></div>`;
    const paused = w.state === 'paused';
    return html`<div class="empty">
      <h2>${paused ? 'This project is paused' : 'Nothing left to judge'}</h2>
      <p>${paused ? 'Its owner has paused labelling. What you judged is saved.'
        : this.progress && this.progress.open > 0
          ? `You have judged everything you may judge here; ${count(this.progress.open)} open comparisons are with other people or wait for a second opinion.`
          : 'Every comparison of this project has been judged. Thank you.'}</p>
      <p class="fine">The page asks again by itself when there may be more.</p>
      <div class="row center">
        <button type="button" ?disabled=${!w.past.length} @click=${() => void this.undo()}>Undo last <kbd>Z</kbd></button>
        <button type="button" @click=${() => void w.retry()}>Ask now</button>
        <a class="button" href=${session.may('engineer') ? href('projects', this.project) : '#/'}>Back to the project</a>
      </div></div>`;
  }

  private renderDrawer() {
    return html`
      <aside class="drawer" aria-label="Guideline">
        <div class="drawer-head"><h2>Guideline</h2>
          <button type="button" class="quiet" @click=${() => this.toggleDrawer()}>Close <kbd>Esc</kbd></button></div>
        <div class="drawer-body" tabindex="0" role="group" aria-label="Guideline text" data-own-arrows>
          ${this.about?.guideline ? html`<hone-text .text=${this.about.guideline}></hone-text>
            <p class="fine">version ${this.about.guideline_version}</p>` : html`<p>This project has no guideline yet.</p>`}
        </div>
      </aside>`;
  }

  // ---- acts

  private act(name: string): boolean {
    if (this.skipping) {
      const skip = SKIPS.find((s) => s.key === name);
      if (skip) void this.give({verdict: 'skip', skip_reason: skip.reason});
      else if (name === 'Escape' || name === 's') this.skipping = false;
      else return false;
      return true;
    }
    const answer = ofKey(name);
    if (answer) {
      if (!this.work.current) return false;
      void this.give(answer);
      return true;
    }
    switch (name) {
      case 's': this.skipping = Boolean(this.work.current) && this.seen; return true;
      case 'z':
      case 'ctrl+z': void this.undo(); return true;
      case 'g': this.toggleDrawer(); return true;
      case 'r': this.raw = !this.raw; return true;
      case 'd': this.diff = !this.diff; return true;
      case 'p': this.comparison?.toggleFold(); return true;
      case '?': this.hints?.show(); return true;
      case 'Escape':
        if (this.drawer) this.toggleDrawer();
        else (document.activeElement as HTMLElement | null)?.blur();
        return true;
      case ' ':
      case 'PageDown': this.comparison?.scrollAnswers(0.85); return true;
      case 'PageUp': this.comparison?.scrollAnswers(-0.85); return true;
      case 'Home': this.comparison?.scrollAnswersTo('top'); return true;
      case 'End': this.comparison?.scrollAnswersTo('bottom'); return true;
      default: return false;
    }
  }

  /** One answer per showing: on disk first, then the next comparison. */
  private async give(answer: Answer): Promise<void> {
    const item = this.work.current;
    const info = session.info;
    if (!item || !info || this.busy) return;
    if (!this.seen) {
      announce('Look at both answers first.');
      return;
    }
    this.busy = true;
    this.given = answer;
    this.skipping = false;
    this.problem = undefined;
    const pressed = performance.now();
    const body = {impression: item.impression, ...answer, timing: this.clock.read()};
    const entry: Omit<Entry, 'no'> = {
      user: info.user.id, team: identity.team, project: this.project, assignment: item.assignment,
      key: newKey(), body: JSON.stringify(body), answer, given_at: new Date().toISOString(),
    };
    try {
      const past: Past = {assignment: item.assignment, item, answer};
      this.pendingPast = past;
      past.no = await outbox.add(entry);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, ADVANCE_MS - (performance.now() - pressed))));
      if (this.progress && !item.answer) {
        const counts = answer.verdict !== 'skip';
        this.progress = {...this.progress, done: this.progress.done + (counts ? 1 : 0), mine_today: this.progress.mine_today + (counts ? 1 : 0)};
      }
      this.showSaved(`${outbox.reason === 'offline' ? 'Kept here' : 'Saved'}: ${nameOfAnswer(answer)}`);
      this.work.advance(past);
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.pendingPast = undefined;
      this.given = null;
      this.busy = false;
    }
  }
  /** An answer may be acknowledged before the screen has advanced past it. */
  private pendingPast: Past | undefined;

  /** Takes the last answer back: from the outbox when it was not sent, else from the server. */
  private async undo(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    // Pressed as the page opens: earlier answers are still being asked for.
    if (!this.work.past.length) await this.readingPast;
    const past = this.work.past.pop();
    if (!past) {
      this.busy = false;
      announce('There is nothing to undo.');
      return;
    }
    this.problem = undefined;
    try {
      if (past.no !== undefined && past.judgment === undefined && past.item && (await outbox.takeBack(past.no))) {
        this.work.reopen({...past.item, answer: past.answer ?? null});
      } else {
        const judgment = past.judgment ?? (await this.acknowledged(past));
        const {item} = await call<{item: Item}>('POST', `/judgments/${judgment}/retract`,
          {body: {}, headers: {'Idempotency-Key': `undo-${judgment}`}});
        this.work.reopen({...item, answer: item.answer ?? past.answer ?? null});
      }
      this.showSaved('Undone. Your earlier answer is marked; choose again.');
      if (this.progress && past.answer?.verdict !== 'skip')
        this.progress = {...this.progress, done: Math.max(0, this.progress.done - 1), mine_today: Math.max(0, this.progress.mine_today - 1)};
    } catch (error) {
      this.work.past.push(past);
      this.problem = toProblem(error);
    } finally {
      this.busy = false;
    }
  }

  /** Waits for an answer that is on its way to arrive; a bounded wait with a reason. */
  private async acknowledged(past: Past): Promise<string> {
    for (let i = 0; i < 50 && past.judgment === undefined; ++i) await new Promise((resolve) => setTimeout(resolve, 100));
    if (past.judgment === undefined)
      throw new Problem(0, 'Not yet sent', 'This answer is on its way to the server right now. Try again when the connection is back.', 'on_the_way');
    return past.judgment;
  }

  private showSaved(text: string): void {
    this.saved = text;
    clearTimeout(this.savedTimer);
    this.savedTimer = window.setTimeout(() => (this.saved = ''), SAVED_SHOWN_MS);
  }

  private toggleDrawer(): void {
    this.drawer = !this.drawer;
    if (this.drawer) void this.updateComplete.then(() => this.querySelector<HTMLElement>('.drawer-body')?.focus());
  }

  // ---- what happens around it

  private onWork = () => {
    const item = this.work.current;
    if (item?.impression !== this.shown) {
      const before = this.shown;
      this.shown = item?.impression;
      this.clock.start(document.visibilityState === 'visible');
      this.seen = !this.narrow;
      this.leaseWarning = false;
      if (item) {
        const last = item.prompt[item.prompt.length - 1];
        announce(`${before && this.saved ? `${this.saved}. ` : ''}Next comparison. Prompt, ${words(last?.content ?? '')} words.`);
      }
    }
    // The next texts are parsed while this one is read.
    const idle = window.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 50));
    idle(() => {
      for (const next of this.work.upcoming)
        for (const message of [...next.prompt, ...next.left, ...next.right]) if (message.content.length < 100_000) renderMarkdown(message.content);
    });
    clearTimeout(this.againTimer);
    if (!item && this.isConnected) {
      const after = this.work.retryAfter_s ? this.work.retryAfter_s * 1000 : ASK_AGAIN_MS;
      this.againTimer = window.setTimeout(() => void this.work.retry(), Math.max(1000, Math.min(after, ASK_AGAIN_MS)));
    }
    this.requestUpdate();
  };

  private onOutbox = () => this.requestUpdate();

  private onSent = (event: Event) => {
    const {entry, sent} = (event as CustomEvent<{entry: Entry; sent: Sent}>).detail;
    const past = this.pendingPast?.assignment === entry.assignment ? this.pendingPast
      : this.work.past.find((p) => p.no === entry.no);
    if (past) past.judgment = sent.id;
    if (entry.project === this.project) this.work.refill();
  };

  private onRefused = (event: Event) => {
    const entry = (event as CustomEvent<Entry>).detail;
    this.work.forget(entry.assignment);
    const at = this.work.past.findIndex((p) => p.no === entry.no);
    if (at >= 0) this.work.past.splice(at, 1);
  };

  private onSession = () => {
    if (session.state === 'in' && (this.work.state === 'problem' || this.work.state === 'loading')) void this.work.retry();
  };

  private onMedia = () => {
    this.narrow = this.media.matches;
    if (!this.narrow) this.seen = true;
  };

  private onInput = () => {
    this.clock.input();
    if (!this.leaseWarning) return;
    this.leaseWarning = false;
    void this.leases.renew(true);
  };

  private onVisible = () => {
    this.clock.setVisible(document.visibilityState === 'visible');
    if (document.visibilityState === 'visible') void this.leases.renew();
  };

  private onLeave = () => this.leases.release();
  private onBack = (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    this.work.drop();
    void this.work.retry();
  };

  private async readProgress(): Promise<void> {
    if (document.visibilityState !== 'visible' && this.progress) return;
    try {
      const [progress, stats] = await Promise.all([
        get<Progress>(`/projects/${this.project}/progress`),
        get<{median_s: number | null}>('/me/stats', {project: this.project}),
      ]);
      this.progress = progress;
      this.median_s = stats.median_s;
    } catch {
      // The counts stay as they were; the comparison itself is what matters.
    }
  }

  private readingPast: Promise<void> = Promise.resolve();

  /** The last own answers, so that undo works across a reload. */
  private async readPast(): Promise<void> {
    try {
      const {data} = await get<{data: MyJudgment[]}>('/me/judgments', {project: this.project, limit: UNDO_DEPTH});
      const known = new Set(this.work.past.map((p) => p.assignment));
      const older = data
        .filter((j) => !j.retracted && j.verdict !== 'retracted' && j.assignment && !known.has(j.assignment))
        .sort((a, b) => a.created_at.localeCompare(b.created_at))
        .map((j): Past => ({
          assignment: j.assignment, judgment: j.id,
          answer: {verdict: j.verdict as Answer['verdict'], strength: j.strength ?? undefined},
        }));
      this.work.past.unshift(...older.slice(-(UNDO_DEPTH - this.work.past.length)));
      this.requestUpdate();
    } catch {
      // Undo then reaches back to this visit only.
    }
  }
}
