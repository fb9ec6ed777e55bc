// Is the reward being gamed? What the policy is trained on above what nobody trains on, each in its own
// units, over how far the policy has gone from the base. Where the upper line rises and the lower falls,
// more training makes the model worse.

import {html, nothing, svg} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {HoneElement} from '../base';
import {figure} from '../text/format';
import {niceTicks, type GoldPoint} from '../text/series';

const PANEL = 150;
const GAP = 34;
const PAD = {left: 64, right: 16, top: 22, bottom: 40};

type Side = 'proxy' | 'gold';
const NAMES: Record<Side, string> = {proxy: 'Reward trained on', gold: 'Gold reward, not trained on'};

@customElement('hone-gold-curve')
export class HoneGoldCurve extends HoneElement {
  @property({attribute: false}) points: readonly GoldPoint[] = [];
  @state() private width = 700;
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
    if (points.length < 2) return nothing;
    const shown = points[Math.min(this.at ?? points.length - 1, points.length - 1)]!;
    return html`
      <figure class="chart gold">
        <figcaption><span class="chart-name">Reward and gold reward over √KL to the base</span>
          <span class="chart-value"><b class="proxy">${figure(shown.proxy)}</b> trained on, <b class="truth">${figure(shown.gold)}</b> gold <span class="fine">at √KL ${figure(shown.distance, 3)}, step ${shown.step}</span></span></figcaption>
        ${this.renderPlot()}
        <details><summary>As a table</summary><div class="table-scroll" tabindex="0" role="group" aria-label="Reward and gold reward"><table>
          <thead><tr><th class="num">Step</th><th class="num">√KL</th><th class="num">Trained on</th><th class="num">Gold</th></tr></thead>
          <tbody>${points.map((p) => html`<tr><td class="num">${p.step}</td><td class="num">${figure(p.distance, 3)}</td><td class="num">${figure(p.proxy)}</td><td class="num">${figure(p.gold)}</td></tr>`)}</tbody></table></div></details>
      </figure>`;
  }

  private renderPlot() {
    const points = this.points;
    const w = Math.max(60, this.width - PAD.left - PAD.right);
    const height = PAD.top + 2 * PANEL + GAP + PAD.bottom;
    const xTicks = niceTicks(0, Math.max(...points.map((p) => p.distance), 1e-6), 6);
    const to = xTicks[xTicks.length - 1]!;
    const x = (v: number) => PAD.left + (v / to) * w;
    const mark = points[Math.min(this.at ?? points.length - 1, points.length - 1)]!;
    const last = points[points.length - 1]!;
    const panel = (side: Side, top: number) => {
      const own = points.filter((p) => p[side] !== undefined);
      if (!own.length) return nothing;
      const values = own.map((p) => p[side]!);
      const ticks = niceTicks(Math.min(...values), Math.max(...values), 3);
      const low = Math.min(ticks[0]!, ...values);
      const high = Math.max(ticks[ticks.length - 1]!, ...values);
      const y = (v: number) => top + PANEL - ((v - low) / (high - low || 1)) * PANEL;
      const path = own.map((p, i) => `${i ? 'L' : 'M'}${x(p.distance).toFixed(1)} ${y(p[side]!).toFixed(1)}`).join('');
      return svg`
        <text class="tick" x=${PAD.left} y=${top - 8}>${NAMES[side]}</text>
        ${ticks.map((t) => svg`<line class="grid" x1=${PAD.left} x2=${PAD.left + w} y1=${y(t)} y2=${y(t)}></line>
          <text class="tick" x=${PAD.left - 7} y=${y(t) + 4} text-anchor="end">${figure(t, 3)}</text>`)}
        <path class="line ${side}" d=${path}></path>
        ${own.map((p) => svg`<circle class="dot ${side}" cx=${x(p.distance)} cy=${y(p[side]!)} r=${p === mark ? 5 : 3}></circle>`)}`;
    };
    return html`
      <svg class="plot" width=${this.width} height=${height} viewBox="0 0 ${this.width} ${height}" role="img" tabindex="0" data-own-arrows
        aria-label="Over ${points.length} measurements, to √KL ${figure(last.distance, 3)}: reward trained on from ${figure(points[0]!.proxy)} to ${figure(last.proxy)}, gold reward from ${figure(points[0]!.gold)} to ${figure(last.gold)}"
        @pointermove=${(e: PointerEvent) => this.point(e, x)} @pointerleave=${() => (this.at = undefined)} @keydown=${this.onKey} @blur=${() => (this.at = undefined)}>
        ${this.at !== undefined ? svg`<line class="cross" x1=${x(mark.distance)} x2=${x(mark.distance)} y1=${PAD.top} y2=${height - PAD.bottom}></line>` : nothing}
        ${panel('proxy', PAD.top)}${panel('gold', PAD.top + PANEL + GAP)}
        ${xTicks.map((t) => svg`<text class="tick" x=${x(t)} y=${height - PAD.bottom + 18} text-anchor="middle">${figure(t, 3)}</text>`)}
        <text class="tick" x=${PAD.left + w / 2} y=${height - 6} text-anchor="middle">√KL to the base, KL in nats an answer</text>
      </svg>`;
  }

  private point(event: PointerEvent, x: (v: number) => number): void {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * this.width;
    const away = (i: number) => Math.abs(x(this.points[i]!.distance) - px);
    let best = 0;
    for (let i = 1; i < this.points.length; ++i) if (away(i) < away(best)) best = i;
    this.at = best;
  }
  private onKey(event: KeyboardEvent): void {
    const by = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (!by) return;
    event.preventDefault();
    const end = this.points.length - 1;
    this.at = Math.max(0, Math.min(end, (this.at ?? end) + by));
  }
}
