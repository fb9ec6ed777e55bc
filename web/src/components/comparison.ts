// A prompt and two answers in blind positions. Knows no network, no model names, no response ids.

import {html, nothing} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {HoneElement} from '../base';
import type {Item} from '../api/types';
import {clearTint, tint} from '../text/tint';
import './text';

/** @fires seen - CustomEvent<boolean>: on a narrow screen, whether both answers have been shown */
@customElement('hone-comparison')
export class HoneComparison extends HoneElement {
  @property({attribute: false}) item?: Item;
  @property({type: Boolean}) raw = false;
  @property({type: Boolean}) diff = false;
  /** Answers as tabs, one at a time. */
  @property({type: Boolean}) narrow = false;
  @state() private side: 'left' | 'right' = 'left';
  @state() private folded = false;
  private touch: {x: number; y: number} | undefined;

  override willUpdate(changed: Map<PropertyKey, unknown>) {
    if (changed.has('item')) this.side = 'left';
  }

  override render() {
    const item = this.item;
    if (!item) return nothing;
    return html`
      <section class="prompt ${this.folded ? 'folded' : ''}" aria-label="Prompt">
        <button type="button" class="prompt-fold quiet" aria-expanded=${!this.folded} aria-controls="prompt-body"
          @click=${() => (this.folded = !this.folded)}>
          <span class="chevron" aria-hidden="true"></span>Prompt
        </button>
        <div class="prompt-body" id="prompt-body" tabindex="0" role="group" aria-label="Prompt text" data-own-arrows ?hidden=${this.folded}>
          <hone-messages .messages=${item.prompt} .raw=${this.raw} roles></hone-messages>
        </div>
      </section>
      ${this.narrow ? this.renderTabs() : nothing}
      <div class="answers ${this.narrow ? 'narrow' : ''}" tabindex="0" role="group" aria-label="The two answers" data-own-arrows
        @touchstart=${this.onTouchStart} @touchend=${this.onTouchEnd}>
        ${this.renderSide('left', 'A', item.left)}
        ${this.renderSide('right', 'B', item.right)}
      </div>`;
  }

  private renderTabs() {
    const tab = (side: 'left' | 'right', letter: string) => html`
      <button type="button" role="tab" id="tab-${side}" class="tab side-${side}" aria-selected=${this.side === side}
        aria-controls="answer-${side}" tabindex=${this.side === side ? 0 : -1} data-own-arrows
        @click=${() => this.show(side)} @keydown=${this.onTabKey}>Answer ${letter}</button>`;
    return html`<div class="answer-tabs" role="tablist" aria-label="Answers">${tab('left', 'A')}${tab('right', 'B')}</div>`;
  }

  private renderSide(side: 'left' | 'right', letter: string, messages: Item['left']) {
    return html`
      <section class="answer side-${side}" id="answer-${side}" ?hidden=${this.narrow && this.side !== side}
        role=${this.narrow ? 'tabpanel' : 'region'} aria-labelledby="answer-${side}-title">
        <h2 class="answer-title" id="answer-${side}-title"><span class="letter">${letter}</span><span class="visually-hidden">Answer ${letter}</span></h2>
        <hone-messages .messages=${messages} .raw=${this.raw}></hone-messages>
      </section>`;
  }

  override updated(changed: Map<PropertyKey, unknown>) {
    if (changed.has('item') && this.item) void this.settle();
    if (changed.has('item') || changed.has('diff') || changed.has('raw')) void this.retint();
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    clearTint();
  }

  /** A new item starts at its top; of a long conversation, the last user turn is in view. */
  private async settle(): Promise<void> {
    const answers = this.querySelector('.answers');
    if (answers) answers.scrollTop = 0;
    this.fire('seen', !this.narrow);
    const body = this.querySelector<HTMLElement>('.prompt-body');
    if (!body) return;
    body.scrollTop = 0;
    await Promise.all([...this.querySelectorAll<HoneElement>('hone-messages')].map((e) => e.updateComplete));
    const turns = body.querySelectorAll<HTMLElement>('.message[data-role=user]');
    const last = turns[turns.length - 1];
    if (last) body.scrollTop = Math.max(0, last.offsetTop - body.offsetTop - 4);
  }

  private async retint(): Promise<void> {
    clearTint();
    if (!this.diff || !this.item) return;
    await Promise.all([...this.querySelectorAll<HoneElement>('hone-messages')].map((e) => e.updateComplete));
    await Promise.all([...this.querySelectorAll<HoneElement>('hone-text')].map((e) => e.updateComplete));
    await new Promise(requestAnimationFrame); // code is coloured by then, in new nodes
    const left = this.querySelector('#answer-left hone-messages');
    const right = this.querySelector('#answer-right hone-messages');
    if (left && right && this.diff) tint(left, right);
  }

  /** Scrolls both answers together, by a share of what is seen. */
  scrollAnswers(share: number): void {
    const box = this.querySelector('.answers');
    box?.scrollBy({top: box.clientHeight * share});
  }
  scrollAnswersTo(edge: 'top' | 'bottom'): void {
    const box = this.querySelector('.answers');
    if (box) box.scrollTop = edge === 'top' ? 0 : box.scrollHeight;
  }
  toggleFold(): void {
    this.folded = !this.folded;
  }

  private show(side: 'left' | 'right'): void {
    this.side = side;
    const box = this.querySelector('.answers');
    if (box) box.scrollTop = 0;
    if (side === 'right') this.fire('seen', true);
  }
  private onTabKey(event: KeyboardEvent): void {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    const side = event.key === 'ArrowLeft' ? 'left' : 'right';
    this.show(side);
    this.querySelector<HTMLElement>(`#tab-${side}`)?.focus();
  }
  private onTouchStart(event: TouchEvent): void {
    const touch = event.changedTouches[0];
    this.touch = touch && this.narrow ? {x: touch.clientX, y: touch.clientY} : undefined;
  }
  private onTouchEnd(event: TouchEvent): void {
    const touch = event.changedTouches[0];
    if (!touch || !this.touch) return;
    const dx = touch.clientX - this.touch.x;
    const dy = touch.clientY - this.touch.y;
    if (Math.abs(dx) > 60 && Math.abs(dx) > 2 * Math.abs(dy)) this.show(dx < 0 ? 'right' : 'left');
  }
}
