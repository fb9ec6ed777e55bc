// The answer dock: seven steps from A to B, both bad, skip with a reason, undo. Every button shows
// its key; the dock itself listens to none (the page's key controller does).

import {html, nothing} from 'lit';
import {customElement, property} from 'lit/decorators.js';
import {HoneElement} from '../base';
import type {Answer} from '../api/types';
import {ofStrength, SKIPS, STEPS} from '../text/answers';

/**
 * @fires answer - CustomEvent<Answer>
 * @fires skipping - CustomEvent<boolean>: the list of reasons is to open or close
 * @fires undo
 */
@customElement('hone-dock')
export class HoneDock extends HoneElement {
  /** The answer just given, or the earlier one of a reopened comparison. */
  @property({attribute: false}) given: Answer | null = null;
  @property({type: Boolean}) asleep = false;
  /** Why the dock sleeps. */
  @property() note = '';
  @property({type: Boolean}) skipping = false;
  @property({type: Boolean}) undoable = false;
  /** What was just saved; empty hides it. */
  @property() saved = '';

  override render() {
    return html`
      <div class="dock-row">
        <span class="dock-end side-left" aria-hidden="true">A</span>
        <div class="steps" role="group" aria-label="Which answer is better?" data-own-arrows @keydown=${this.onArrows}>
          ${STEPS.map((step) => html`
            <button type="button" class="step ${step.strength > 0 ? 'side-left' : step.strength < 0 ? 'side-right' : 'tie'} s${Math.abs(step.strength)}"
              ?disabled=${this.asleep} aria-pressed=${this.isGiven(step.strength)} aria-keyshortcuts=${step.key}
              aria-label="${step.name}, key ${step.key}" title=${step.name}
              @click=${(e: Event) => this.give(ofStrength(step.strength), e)}>
              <kbd aria-hidden="true">${step.key}</kbd><span class="step-label" aria-hidden="true">${step.label}</span>
            </button>`)}
        </div>
        <span class="dock-end side-right" aria-hidden="true">B</span>
      </div>
      <div class="dock-row second">
        <div class="dock-status">
          ${this.asleep && this.note ? html`<span>${this.note}</span>`
            : this.saved ? html`<span class="tick" aria-hidden="true">✓</span><span>${this.saved}</span>` : nothing}
        </div>
        <div class="dock-more">
          <button type="button" class="quiet" ?disabled=${this.asleep} aria-pressed=${this.given?.verdict === 'both_bad'}
            aria-keyshortcuts="x" @click=${(e: Event) => this.give({verdict: 'both_bad'}, e)}>Both bad <kbd>X</kbd></button>
          <button type="button" class="quiet" ?disabled=${this.asleep} aria-expanded=${this.skipping} aria-haspopup="true"
            aria-pressed=${this.given?.verdict === 'skip'} aria-keyshortcuts="s"
            @click=${() => this.fire('skipping', !this.skipping)}>Skip <kbd>S</kbd></button>
          <button type="button" class="quiet" ?disabled=${!this.undoable} aria-keyshortcuts="z"
            @click=${(e: Event) => { release(e); this.fire('undo'); }}>Undo <kbd>Z</kbd></button>
        </div>
        ${this.skipping ? html`
          <div class="skip-menu" role="group" aria-label="Why skip?">
            <p class="skip-title">Why skip?</p>
            ${SKIPS.map((skip) => html`
              <button type="button" class="quiet" @click=${(e: Event) => this.give({verdict: 'skip', skip_reason: skip.reason}, e)}>
                <kbd>${skip.key}</kbd> ${skip.label}</button>`)}
            <button type="button" class="quiet" @click=${() => this.fire('skipping', false)}><kbd>Esc</kbd> Do not skip</button>
          </div>` : nothing}
      </div>`;
  }

  override updated(changed: Map<PropertyKey, unknown>) {
    if (changed.has('skipping') && this.skipping) this.querySelector<HTMLElement>('.skip-menu button')?.focus();
  }

  private isGiven(strength: number): boolean {
    const verdict = this.given?.verdict;
    return (verdict === 'prefer' || verdict === 'tie') && (this.given?.strength ?? 0) === strength;
  }
  private give(answer: Answer, event: Event): void {
    release(event);
    this.fire('answer', answer);
  }
  /** Inside the dock, arrows move between the steps. */
  private onArrows(event: KeyboardEvent): void {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!by) return;
    const steps = [...this.querySelectorAll<HTMLElement>('.step')];
    const next = steps[steps.indexOf(document.activeElement as HTMLElement) + by];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
}

/** After a mouse press the focus goes back to the page, so that keys answer and do not move it. */
function release(event: Event): void {
  if (event instanceof MouseEvent && event.detail > 0) (event.currentTarget as HTMLElement).blur();
}
