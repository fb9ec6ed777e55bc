// The published models of the team.

import {html, nothing} from 'lit';
import {customElement, state} from 'lit/decorators.js';
import {getAll, toProblem, type Problem} from '../api/http';
import type {ModelSummary} from '../api/types';
import {HoneElement} from '../base';
import '../components/problem';
import {href} from '../router';
import {showHidden} from '../text/escape';
import {ago, plural} from '../text/format';

@customElement('hone-page-models')
export class HonePageModels extends HoneElement {
  @state() private models?: ModelSummary[];
  @state() private problem?: Problem;

  override connectedCallback() {
    super.connectedCallback();
    void this.load();
  }
  private async load(): Promise<void> {
    try {
      this.models = await getAll<ModelSummary>('/models');
      this.problem = undefined;
    } catch (error) {
      this.problem = toProblem(error);
    }
  }
  override render() {
    return html`
      <h1>Models</h1>
      <hone-problem .problem=${this.problem} retryable @retry=${() => void this.load()}></hone-problem>
      ${this.models?.length === 0 ? html`<div class="empty card"><h2>No model yet</h2><p>A run that succeeds publishes the next version of its model here.</p></div>` : nothing}
      <ul class="cards plain">${this.models?.map((model) => html`
        <li class="card row spread"><div><h2><a href=${href('models', model.name)}><bdi>${showHidden(model.name)}</bdi></a>${model.task === 'reward' ? html` <span class="badge">reward model</span>` : nothing}</h2>
          <p class="fine">${plural(typeof model.versions === 'number' ? model.versions : model.versions?.length ?? 0, 'version')} · since ${ago(model.created_at)}</p></div>
          ${model.latest_version ? html`<a class="button" href=${href('models', model.name, model.latest_version)}>Version ${model.latest_version}</a>` : nothing}</li>`)}</ul>`;
  }
}
