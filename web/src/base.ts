// What all elements of the page share: they render into the page itself (one stylesheet, labels and
// password managers work across elements), and short helpers.

import {LitElement} from 'lit';
import {toProblem, type Problem} from './api/http';

export abstract class HoneElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
  protected fire<T>(name: string, detail?: T, options: EventInit = {}): void {
    this.dispatchEvent(new CustomEvent<T>(name, {detail, ...options}));
  }
}

/** Says something to screen readers without moving anything. */
export function announce(text: string): void {
  window.dispatchEvent(new CustomEvent('hone-announce', {detail: text}));
}

/** Runs an action of the page; its failure becomes a Problem in `show`. */
export async function attempt(show: (problem: Problem | undefined) => void, act: () => Promise<void>): Promise<void> {
  show(undefined);
  try {
    await act();
  } catch (error) {
    show(toProblem(error));
  }
}

let lastId = 0;
/** An id for label/for and aria pairs. */
export function newId(prefix: string): string {
  return `${prefix}-${++lastId}`;
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
