// The key map, and the switch for single-character keys.

import {html} from 'lit';
import {customElement} from 'lit/decorators.js';
import {HoneElement} from '../base';
import {setSingleKeysOff, singleKeysOff} from '../controllers/keys';

const KEYS: [string, string][] = [
  ['1 2 3', 'A is much better, better, slightly better'],
  ['4', 'Tie'],
  ['5 6 7', 'B is slightly better, better, much better'],
  ['← →', 'That side is better (2 or 6)'],
  ['↓', 'Tie'],
  ['X', 'Both bad'],
  ['S then 1–6', 'Skip, with a reason'],
  ['Z or Ctrl+Z', 'Undo the last answer (up to 20)'],
  ['Space, Page keys', 'Scroll both answers'],
  ['P', 'Fold the prompt'],
  ['R', 'Raw text'],
  ['D', 'Tint the differences'],
  ['G', 'Guideline'],
  ['?', 'This list'],
  ['Esc', 'Close, or leave a field'],
];

@customElement('hone-key-hints')
export class HoneKeyHints extends HoneElement {
  override render() {
    return html`
      <dialog class="panel-dialog" aria-labelledby="keys-title" @click=${this.onBackdrop}>
        <div class="dialog-body">
          <h2 id="keys-title">Keys</h2>
          <dl class="keys">
            ${KEYS.map(([keys, what]) => html`<div><dt><kbd>${keys}</kbd></dt><dd>${what}</dd></div>`)}
          </dl>
          <label class="check"><input type="checkbox" .checked=${!singleKeysOff()}
            @change=${(e: Event) => setSingleKeysOff(!(e.target as HTMLInputElement).checked)} />
            Answer with single keys (switch off if you use speech input)</label>
          <div class="row end"><button type="button" class="primary" @click=${() => this.close()}>Close</button></div>
        </div>
      </dialog>`;
  }
  get open(): boolean {
    return this.querySelector('dialog')?.open ?? false;
  }
  show(): void {
    this.querySelector('dialog')?.showModal();
  }
  close(): void {
    this.querySelector('dialog')?.close();
  }
  private onBackdrop(event: MouseEvent): void {
    if (event.target === event.currentTarget) this.close();
  }
}
