// What the seeds of one run came to, side by side. A result of one seed may be luck.

import {html, nothing} from 'lit';
import {customElement, property} from 'lit/decorators.js';
import type {SeedsResult} from '../api/types';
import {HoneElement} from '../base';
import {showHidden} from '../text/escape';
import {plural} from '../text/format';
import {seedTable, type SeedRow} from '../text/seeds';

@customElement('hone-seeds')
export class HoneSeeds extends HoneElement {
  @property({attribute: false}) result?: SeedsResult;

  override render() {
    if (!this.result) return nothing;
    const {seeds, main, more, failures} = seedTable(this.result);
    return html`
      <p class="fine">${this.result.finished} of ${plural(seeds.length, 'seed')} came to their end; published is seed ${this.result.published}. Means are over those, with Student’s 95 % interval.</p>
      ${this.renderRows(seeds, main)}
      ${more.length ? html`<details><summary>All figures (${more.length} more)</summary>${this.renderRows(seeds, more)}</details>` : nothing}
      ${failures.length ? html`<ul class="problem-list">${failures.map((text) => html`<li><bdi>${showHidden(text)}</bdi></li>`)}</ul>` : nothing}`;
  }
  private renderRows(seeds: string[], rows: SeedRow[]) {
    return html`<div class="table-scroll" tabindex="0" role="group" aria-label="Results by seed"><table>
      <thead><tr><th>Metric</th><th class="num">Mean</th><th class="num">95 % interval</th>${seeds.map((seed) => html`<th class="num">Seed ${seed}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr><th scope="row">${showHidden(row.name)}</th><td class="num"><b>${row.mean}</b></td><td class="num">${row.interval}</td>${row.values.map((value) => html`<td class="num">${value}</td>`)}</tr>`)}</tbody></table></div>`;
  }
}
