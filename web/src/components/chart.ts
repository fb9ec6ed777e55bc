// A small line chart as SVG: one quantity over steps, light enough to redraw with each new point.
// Colours and sizes come from the stylesheet; nothing is inline.

import {html, nothing, svg} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {HoneElement} from '../base';
import {decimate, niceTicks, smooth, type Point} from '../text/series';
import {figure} from '../text/format';

const HEIGHT = 190;
const PAD = {left: 64, right: 10, top: 10, bottom: 24};

@customElement('hone-chart')
export class HoneChart extends HoneElement {
  @property() label = '';
  @property() help = '';
  @property({attribute: false}) points: readonly Point[] = [];
  /** Lines behind it: the same quantity of the run's earlier seeds. */
  @property({attribute: false}) others: readonly (readonly Point[])[] = [];
  /** Which seed `points` are of, where there are several. */
  @property() of = '';
  /** Steps of the whole run: the x axis shows how much is still to come. */
  @property({type: Number}) total = 0;
  /** A line to compare with, such as chance. */
  @property({type: Number}) guide?: number;
  /** Set, not measured: never smoothed. */
  @property({type: Boolean}) exact = false;
  @state() private width = 400;
  @state() private at: number | undefined;
  private observer?: ResizeObserver;

  override connectedCallback() {
    super.connectedCallback();
    this.observer = new ResizeObserver(([entry]) => {
      const width = Math.round(entry!.contentRect.width);
      if (width > 0 && width !== this.width) this.width = width;
    });
    this.observer.observe(this);
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    this.observer?.disconnect();
  }

  override render() {
    const points = this.points;
    const last = points[points.length - 1];
    const shown = this.at !== undefined ? points[this.at] : last;
    return html`
      <figure class="chart">
        <figcaption><span class="chart-name" title=${this.help}>${this.label}</span>
          <span class="chart-value">${shown ? html`<b>${figure(shown.y)}</b> <span class="fine">${this.of ? `${this.of}, ` : ''}step ${shown.x}</span>` : html`<span class="fine">no figure yet</span>`}</span></figcaption>
        ${points.length ? this.renderPlot() : html`<div class="chart-empty"></div>`}
      </figure>`;
  }

  private renderPlot() {
    const points = this.points;
    const first = points[0]!;
    const last = points[points.length - 1]!;
    const maxX = Math.max(this.total, last.x, first.x + 1, ...this.others.map((list) => list[list.length - 1]?.x ?? 0));
    const minX = Math.min(first.x, 1);
    let low = Infinity;
    let high = -Infinity;
    for (const list of [points, ...this.others])
      for (const {y} of list) {
        if (y < low) low = y;
        if (y > high) high = y;
      }
    if (this.guide !== undefined) {
      low = Math.min(low, this.guide);
      high = Math.max(high, this.guide);
    }
    const ticks = niceTicks(low, high, 4);
    const from = Math.min(low, ticks[0]!);
    const to = Math.max(high, ticks[ticks.length - 1]!);
    const w = Math.max(60, this.width - PAD.left - PAD.right);
    const h = HEIGHT - PAD.top - PAD.bottom;
    const x = (v: number) => PAD.left + ((v - minX) / (maxX - minX)) * w;
    const y = (v: number) => PAD.top + h - ((v - from) / (to - from || 1)) * h;
    const path = (list: readonly Point[]) =>
      decimate(list, w).map((p, i) => `${i ? 'L' : 'M'}${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)}`).join('');
    const smoothed = !this.exact && points.length > 40;
    const mark = this.at !== undefined ? points[this.at] : last;
    const xTicks = niceTicks(minX, maxX, 4).filter((t) => t >= minX && t <= maxX && Number.isInteger(t));
    return html`
      <svg class="plot" width=${this.width} height=${HEIGHT} viewBox="0 0 ${this.width} ${HEIGHT}" role="img" tabindex="0" data-own-arrows
        aria-label="${this.label}: ${figure(first.y)} at step ${first.x}, ${figure(last.y)} at step ${last.x}, lowest ${figure(low)}, highest ${figure(high)}"
        @pointermove=${(e: PointerEvent) => this.point(e, x)} @pointerleave=${() => (this.at = undefined)}
        @keydown=${this.onKey} @blur=${() => (this.at = undefined)}>
        ${ticks.map((t) => svg`<line class="grid" x1=${PAD.left} x2=${PAD.left + w} y1=${y(t)} y2=${y(t)}></line>
          <text class="tick" x=${PAD.left - 7} y=${y(t) + 4} text-anchor="end">${figure(t, 3)}</text>`)}
        ${xTicks.map((t) => svg`<text class="tick" x=${x(t)} y=${HEIGHT - 6} text-anchor="middle">${figure(t)}</text>`)}
        ${this.guide !== undefined ? svg`<line class="guide" x1=${PAD.left} x2=${PAD.left + w} y1=${y(this.guide)} y2=${y(this.guide)}></line>` : nothing}
        ${this.others.map((list) => svg`<path class="line faint" d=${path(smoothed ? smooth(list) : list)}></path>`)}
        <path class=${smoothed ? 'line faint' : 'line'} d=${path(points)}></path>
        ${smoothed ? svg`<path class="line" d=${path(smooth(points))}></path>` : nothing}
        ${mark ? svg`${this.at !== undefined ? svg`<line class="cross" x1=${x(mark.x)} x2=${x(mark.x)} y1=${PAD.top} y2=${PAD.top + h}></line>` : nothing}
          <circle class="dot" cx=${x(mark.x)} cy=${y(mark.y)} r="4"></circle>` : nothing}
      </svg>`;
  }

  private point(event: PointerEvent, x: (v: number) => number): void {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * this.width;
    let best = 0;
    for (let i = 1; i < this.points.length; ++i)
      if (Math.abs(x(this.points[i]!.x) - px) < Math.abs(x(this.points[best]!.x) - px)) best = i;
    this.at = best;
  }
  private onKey(event: KeyboardEvent): void {
    const by = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (!by) return;
    event.preventDefault();
    this.at = Math.max(0, Math.min(this.points.length - 1, (this.at ?? this.points.length - 1) + by));
  }
}
