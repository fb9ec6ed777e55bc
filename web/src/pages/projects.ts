// All projects of the team: how far each one is, and the way to label.

import {html, nothing} from 'lit';
import {customElement, state} from 'lit/decorators.js';
import {getAll, post, toProblem, type Problem} from '../api/http';
import {session} from '../api/session';
import type {Project} from '../api/types';
import {HoneElement} from '../base';
import '../components/problem';
import {go, href} from '../router';
import {showHidden} from '../text/escape';
import {count, plural} from '../text/format';

const NO_COUNTS = {prompts: 0, responses: 0, comparisons: 0, open: 0, judgments: 0};

@customElement('hone-page-projects')
export class HonePageProjects extends HoneElement {
  @state() private projects?: Project[];
  @state() private problem?: Problem;
  @state() private creating = false;
  @state() private createProblem?: Problem;

  override connectedCallback() {
    super.connectedCallback();
    session.addEventListener('change', this.onSession);
    void this.load();
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    session.removeEventListener('change', this.onSession);
  }
  private onSession = () => {
    if (session.state === 'in') void this.load();
  };

  private async load(): Promise<void> {
    try {
      this.projects = await getAll<Project>('/projects');
      this.problem = undefined;
    } catch (error) {
      this.problem = toProblem(error);
    }
  }

  override render() {
    return html`
      <div class="row spread">
        <h1>Projects</h1>
        ${session.may('engineer') ? html`<button type="button" class="primary" aria-expanded=${this.creating} @click=${() => this.toggle()}>New project</button>` : nothing}
      </div>
      <hone-problem .problem=${this.problem} retryable @retry=${() => void this.load()}></hone-problem>
      ${this.creating ? this.renderForm() : nothing}
      ${this.projects?.length === 0 ? html`<div class="empty card"><h2>No project yet</h2>
        <p>${session.may('engineer') ? 'A project holds prompts, the answers to compare and the guideline for judging them.' : 'When an engineer of your team starts one, it appears here.'}</p></div>` : nothing}
      <ul class="cards plain">${this.projects?.map((project) => this.renderProject(project))}</ul>`;
  }

  private renderProject(project: Project) {
    const c = project.counts ?? NO_COUNTS;
    const judged = Math.max(0, c.comparisons - c.open);
    const owner = session.may('engineer');
    return html`
      <li class="card project-card">
        <div class="grow">
          <h2>${owner ? html`<a href=${href('projects', project.id)}><bdi>${showHidden(project.name)}</bdi></a>` : html`<bdi>${showHidden(project.name)}</bdi>`}</h2>
          <p class="fine">${plural(c.prompts, 'prompt')} · ${plural(c.responses, 'answer')} · ${plural(c.judgments, 'judgment')}</p>
          ${c.comparisons ? html`<div class="meter-line"><progress max=${c.comparisons} value=${judged} aria-label="Comparisons judged"></progress>
            <span>${count(judged)} of ${count(c.comparisons)} comparisons judged</span></div>`
            : html`<p class="fine">No comparison yet.</p>`}
        </div>
        <a class="button ${c.open ? 'primary' : ''}" href=${href('projects', project.id, 'label')} aria-label="Label ${showHidden(project.name)}">Label${c.open ? html` <span class="pill">${count(c.open)}</span>` : nothing}</a>
      </li>`;
  }

  private renderForm() {
    return html`
      <form class="card form" @submit=${this.create} aria-label="New project">
        <label for="new-name">Name</label>
        <input id="new-name" name="name" required maxlength="120" autocomplete="off" />
        <label for="new-guideline">Guideline for the people who judge (Markdown)</label>
        <textarea id="new-guideline" name="guideline" rows="5" placeholder="Which answer helps more? Prefer…"></textarea>
        <hone-problem .problem=${this.createProblem}></hone-problem>
        <div class="row end"><button type="button" class="quiet" @click=${() => this.toggle()}>Cancel</button>
          <button type="submit" class="primary">Create</button></div>
      </form>`;
  }

  private toggle(): void {
    this.creating = !this.creating;
    if (this.creating) void this.updateComplete.then(() => this.querySelector<HTMLElement>('#new-name')?.focus());
  }
  private create = async (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    this.createProblem = undefined;
    try {
      const project = await post<Project>('/projects', {name: String(data.get('name')), guideline: String(data.get('guideline'))});
      go(href('projects', project.id));
    } catch (error) {
      this.createProblem = toProblem(error);
    }
  };
}
