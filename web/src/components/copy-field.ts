// A secret or link shown once, with a copy button.

import {html} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {copyText, HoneElement, newId} from '../base';

@customElement('hone-copy-field')
export class HoneCopyField extends HoneElement {
  @property() value = '';
  @property() label = '';
  @state() private done = '';
  private id_ = newId('copy');

  override render() {
    return html`<div class="field"><label for=${this.id_}>${this.label}</label>
      <div class="copy-field"><input id=${this.id_} readonly .value=${this.value} @focus=${(e: Event) => (e.target as HTMLInputElement).select()} />
        <button type="button" @click=${() => void this.copy()}>${this.done || 'Copy'}</button></div></div>`;
  }
  private async copy(): Promise<void> {
    this.done = (await copyText(this.value)) ? 'Copied' : 'Not allowed';
    setTimeout(() => (this.done = ''), 1500);
  }
}
