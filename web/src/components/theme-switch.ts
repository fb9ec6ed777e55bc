// Light, dark, or as the system has it; remembered in this browser.

import {html} from 'lit';
import {customElement, state} from 'lit/decorators.js';
import {HoneElement} from '../base';

type Theme = 'auto' | 'light' | 'dark';
const KEY = 'hone.theme';
const NEXT: Record<Theme, Theme> = {auto: 'light', light: 'dark', dark: 'auto'};
const SIGN: Record<Theme, string> = {auto: '◐', light: '☀', dark: '☾'};

export function applyTheme(theme: Theme = storedTheme()): void {
  document.documentElement.dataset.theme = theme;
}

function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'auto';
  } catch {
    return 'auto';
  }
}

@customElement('hone-theme-switch')
export class HoneThemeSwitch extends HoneElement {
  @state() private theme: Theme = storedTheme();
  override render() {
    return html`<button type="button" class="quiet tool icon" aria-label="Colours: ${this.theme}. Change" title="Colours: ${this.theme}"
      @click=${() => this.change()}><span aria-hidden="true">${SIGN[this.theme]}</span></button>`;
  }
  private change(): void {
    this.theme = NEXT[this.theme];
    try {
      localStorage.setItem(KEY, this.theme);
    } catch {
      // Storage switched off: the choice lasts as long as the page.
    }
    applyTheme(this.theme);
  }
}
