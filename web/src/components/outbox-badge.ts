// Answers that wait to be sent, and those the server did not accept: always visible, never in the way.

import {html, nothing} from 'lit';
import {customElement} from 'lit/decorators.js';
import {outbox} from '../api/answers';
import {copyText, HoneElement} from '../base';
import type {Entry} from '../controllers/outbox';
import {nameOfAnswer} from '../text/answers';
import {showHidden} from '../text/escape';
import {plural, when} from '../text/format';

@customElement('hone-outbox-badge')
export class HoneOutboxBadge extends HoneElement {
  override connectedCallback() {
    super.connectedCallback();
    outbox.addEventListener('change', this.onChange);
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    outbox.removeEventListener('change', this.onChange);
  }
  private onChange = () => this.requestUpdate();

  override render() {
    const {waiting, refused, reason} = outbox;
    // One that is on its way for a moment is not worth a word; one that waits is.
    const shown = waiting > 0 && (reason !== undefined || waiting > 3);
    return html`
      <span class="badge-slot" role="status">
        ${shown ? html`<span class="badge warn" title=${reason === 'login' ? 'They are kept in this browser. Log in to send them.' : 'They are kept in this browser and sent as soon as the server can be reached.'}>
          ${plural(waiting, 'answer')} waiting to send${reason === 'login' ? ': log in' : ''}</span>` : nothing}
        ${outbox.volatile && waiting ? html`<span class="badge bad">this browser stores nothing: keep the page open</span>` : nothing}
      </span>
      ${refused.length ? html`
        <button type="button" class="badge bad" aria-haspopup="dialog" @click=${() => this.querySelector('dialog')?.showModal()}>
          ${plural(refused.length, 'answer')} not accepted</button>
        <dialog class="panel-dialog" aria-labelledby="refused-title"><div class="dialog-body">
          <h2 id="refused-title">Answers not accepted</h2>
          <p>The server refused these for good. They stay here until you put them away; copy them if you want to report it.</p>
          <ul class="plain">${refused.map((entry) => this.renderEntry(entry))}</ul>
          <div class="row end">
            <button type="button" @click=${() => void copyText(JSON.stringify(refused, null, 2))}>Copy all</button>
            <button type="button" class="primary" @click=${() => this.querySelector('dialog')?.close()}>Close</button></div>
        </div></dialog>` : nothing}`;
  }

  private renderEntry(entry: Entry) {
    return html`<li class="refused"><div><b>${nameOfAnswer(entry.answer)}</b> · ${when(entry.given_at)}<br />
      <span>${showHidden(entry.refused ?? '')}</span></div>
      <button type="button" class="quiet" @click=${() => void outbox.dismiss(entry.no!)}>Put away</button></li>`;
  }
}
