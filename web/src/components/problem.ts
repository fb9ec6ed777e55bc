// What went wrong, in the server's words: detail, the named fields or lines, the request id.

import {html, nothing} from 'lit';
import {customElement, property} from 'lit/decorators.js';
import {HoneElement} from '../base';
import type {Problem} from '../api/http';
import {showHidden} from '../text/escape';

/** @fires retry - when the person asks for it; the button shows only for temporary problems */
@customElement('hone-problem')
export class HoneProblem extends HoneElement {
  @property({attribute: false}) problem?: Problem;
  @property({type: Boolean}) retryable = false;

  override render() {
    const problem = this.problem;
    if (!problem) return nothing;
    return html`
      <div class="problem" role="alert">
        <p class="problem-text">${showHidden(problem.message)}</p>
        ${problem.errors.length ? html`<ul class="problem-list">${problem.errors.map((e) => html`
          <li>${e.line ? html`<b>line ${e.line}</b> ` : nothing}${e.pointer ? html`<code>${showHidden(e.pointer)}</code> ` : nothing}<bdi>${showHidden(e.detail)}</bdi></li>`)}</ul>` : nothing}
        ${problem.requestId ? html`<p class="fine">request ${problem.requestId}</p>` : nothing}
        ${this.retryable ? html`<button type="button" @click=${() => this.fire('retry')}>Try again</button>` : nothing}
      </div>`;
  }
}
