// One key, one act: window keys outside text fields become calls. Repeats, modifiers and composing
// input are not acts. No DOM of its own; the host lives as long as it listens.

import type {ReactiveController, ReactiveControllerHost} from 'lit';

const OFF_KEY = 'hone.keys.off';

/** Single-character keys can be switched off (WCAG 2.1.4); other keys stay. */
export function singleKeysOff(): boolean {
  try {
    return localStorage.getItem(OFF_KEY) === '1';
  } catch {
    return false;
  }
}
export function setSingleKeysOff(off: boolean): void {
  try {
    if (off) localStorage.setItem(OFF_KEY, '1');
    else localStorage.removeItem(OFF_KEY);
  } catch {
    // Storage switched off: the keys stay on.
  }
}

/** What the decision needs of a keyboard event, so that it can be tested without a browser. */
export interface Press {
  key: string;
  repeat?: boolean;
  isComposing?: boolean;
  ctrlKey?: boolean;
  metaKey?: boolean;
  altKey?: boolean;
  target?: unknown;
}

/** Where the key was pressed, as far as keys care. */
export type Place = 'text' | 'dialog' | 'own-arrows' | 'control' | 'page';

/**
 * The name under which a press is looked up ('1', 'x', 'ArrowLeft', 'ctrl+z'), or undefined when it
 * is not for the page: typing, repeats, other modifiers, arrows where they scroll or move focus.
 */
export function nameOf(press: Press, place: Place, singlesOff: boolean): string | undefined {
  if (press.repeat || press.isComposing || press.altKey) return undefined;
  const command = Boolean(press.ctrlKey || press.metaKey);
  const single = press.key.length === 1;
  const name = single ? press.key.toLowerCase() : press.key;
  if (place === 'text') return name === 'Escape' && !command ? name : undefined;
  if (place === 'dialog') return undefined; // a dialog has its own Escape and its own keys
  if (command) return `ctrl+${name}`;
  if (single && name !== ' ' && singlesOff) return undefined;
  if (place === 'own-arrows' && (name.startsWith('Arrow') || name.startsWith('Page') || name === 'Home' || name === 'End' || name === ' '))
    return undefined;
  if (place === 'control' && (name === ' ' || name === 'Enter')) return undefined; // it presses the control
  return name;
}

export function placeOf(target: unknown): Place {
  if (!(target instanceof Element)) return 'page';
  if (target.closest('input:not([type=checkbox]):not([type=radio]):not([type=button]), textarea, select, [contenteditable=true]')) return 'text';
  if (target.closest('dialog[open]')) return 'dialog'; // the focus leaves a closed one a moment after it closes
  if (target.closest('[data-own-arrows]')) return 'own-arrows';
  if (target.closest('button, a, summary, input, [role=tab]')) return 'control';
  return 'page';
}

/** Calls `act` with the name of each press it knows; `act` returns true when it did something. */
export class KeyController implements ReactiveController {
  constructor(host: ReactiveControllerHost, private act: (name: string) => boolean) {
    host.addController(this);
  }
  hostConnected(): void {
    window.addEventListener('keydown', this.onKey);
  }
  hostDisconnected(): void {
    window.removeEventListener('keydown', this.onKey);
  }
  private onKey = (event: KeyboardEvent) => {
    if (event.defaultPrevented) return;
    const name = nameOf(event, placeOf(event.target), singleKeysOff());
    if (name !== undefined && this.act(name)) event.preventDefault();
  };
}
