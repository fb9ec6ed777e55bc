// One text written by a model or a person: rendered safely, or raw. Code gets a copy button.

import {html} from 'lit';
import {customElement, property} from 'lit/decorators.js';
import {copyText, HoneElement} from '../base';
import {showHidden} from '../text/escape';
import {highlight, LONGEST_RENDERED, renderMarkdown} from '../text/markdown';

@customElement('hone-text')
export class HoneText extends HoneElement {
  @property() text = '';
  @property({type: Boolean}) raw = false;
  private whole = false;

  override render() {
    return html`<div class="md" dir="auto"></div>`;
  }
  override willUpdate(changed: Map<PropertyKey, unknown>) {
    if (changed.has('text')) this.whole = false;
  }
  override updated() {
    const box = this.querySelector<HTMLElement>(':scope > .md')!;
    const tooLong = this.text.length > LONGEST_RENDERED;
    box.classList.toggle('raw', this.raw || tooLong);
    if (this.raw || tooLong) {
      const cut = tooLong && !this.whole;
      box.textContent = showHidden(cut ? this.text.slice(0, LONGEST_RENDERED) : this.text);
      if (cut) box.append(this.restButton());
    } else {
      box.replaceChildren(renderMarkdown(this.text));
      for (const code of box.querySelectorAll<HTMLElement>('pre > code')) this.dress(code);
    }
  }

  private restButton(): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Show the rest';
    button.addEventListener('click', () => {
      this.whole = true;
      this.requestUpdate();
    });
    return button;
  }

  private dress(code: HTMLElement): void {
    const frame = code.parentElement!;
    frame.tabIndex = 0; // it scrolls sideways, so the keyboard must reach it
    frame.setAttribute('role', 'group');
    frame.setAttribute('aria-label', 'code');
    frame.dataset.ownArrows = '';
    const holder = document.createElement('div');
    holder.className = 'md-code-holder';
    frame.replaceWith(holder);
    const copy = document.createElement('button');
    copy.type = 'button';
    copy.className = 'md-copy';
    copy.textContent = 'Copy';
    const source = code.textContent ?? '';
    copy.addEventListener('click', async () => {
      copy.textContent = (await copyText(source)) ? 'Copied' : 'Not allowed';
      setTimeout(() => (copy.textContent = 'Copy'), 1500);
    });
    holder.append(frame, copy);
    void highlight(code);
  }
}

/** A conversation or an answer: each message with its own direction; roles named when they matter. */
@customElement('hone-messages')
export class HoneMessages extends HoneElement {
  @property({attribute: false}) messages: {role: string; content: string}[] = [];
  @property({type: Boolean}) raw = false;
  /** Always name the roles (prompts); otherwise only when there are several turns. */
  @property({type: Boolean}) roles = false;

  override render() {
    const named = this.roles || this.messages.length > 1;
    return this.messages.map((message) => html`
      <div class="message" data-role=${message.role}>
        ${named ? html`<div class="message-role">${showHidden(message.role)}</div>` : ''}
        <hone-text .text=${message.content} .raw=${this.raw}></hone-text>
      </div>`);
  }
}
