// An evaluation as a table: figures with their intervals, by the names the run gave them.

import {html, nothing} from 'lit';
import {customElement, property} from 'lit/decorators.js';
import {HoneElement} from '../base';
import type {Evaluation} from '../api/types';
import {inOrder, isMain, readEvaluation, type Figure} from '../text/evaluation';
import {showHidden} from '../text/escape';

@customElement('hone-evaluation')
export class HoneEvaluation extends HoneElement {
  @property({attribute: false}) evaluation: Evaluation | null = null;

  override render() {
    if (!this.evaluation) return html`<p class="fine">This run was not evaluated.</p>`;
    const {headline, rows} = readEvaluation(this.evaluation);
    const main = rows.filter(isMain).sort(inOrder);
    const others = rows.filter((row) => !isMain(row));
    return html`
      ${headline ? html`<div class="headline ${headline.verdict}">
        <div class="headline-figure">${headline.value}<span class="fine"> ${headline.interval}</span></div>
        <p>${headline.text}</p></div>` : nothing}
      ${this.renderRows(main.length ? main : rows)}
      ${main.length && others.length ? html`<details><summary>How it was measured</summary>${this.renderRows(others)}</details>` : nothing}`;
  }
  private renderRows(rows: Figure[]) {
    return rows.length ? html`<dl class="figures">${rows.map((row) => this.renderRow(row))}</dl>` : nothing;
  }
  private renderRow(row: Figure) {
    return html`<div><dt>${showHidden(row.name)}</dt><dd>${showHidden(row.value)}${row.interval ? html` <span class="fine">${row.interval}</span>` : nothing}</dd></div>`;
  }
}
