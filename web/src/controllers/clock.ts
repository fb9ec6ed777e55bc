// How long a comparison was looked at: shown, first input, active (page visible and input within
// the last 30 s), away. Browser-monotonic; kept for statistics, never trusted for leases.

const IDLE_MS = 30_000;

export interface Timing {
  shown_ms: number;
  first_input_ms: number | null;
  active_ms: number;
  away_ms: number;
}

export class ActivityClock {
  private started: number;
  private mark: number;
  private firstInput: number | null = null;
  private lastInput: number;
  private active = 0;
  private away = 0;
  private visible = true;

  constructor(private now: () => number) {
    this.started = this.mark = this.lastInput = now();
  }
  /** A new comparison is on the screen. */
  start(visible = true): void {
    this.started = this.mark = this.lastInput = this.now();
    this.firstInput = null;
    this.active = this.away = 0;
    this.visible = visible;
  }
  input(): void {
    this.advance();
    const t = this.now();
    this.lastInput = t;
    this.firstInput ??= t - this.started;
  }
  setVisible(visible: boolean): void {
    this.advance();
    this.visible = visible;
    if (visible) this.lastInput = this.now();
  }
  get idle_ms(): number {
    return this.now() - this.lastInput;
  }
  read(): Timing {
    this.advance();
    const whole = (ms: number) => Math.max(0, Math.round(ms));
    return {
      shown_ms: whole(this.now() - this.started),
      first_input_ms: this.firstInput === null ? null : whole(this.firstInput),
      active_ms: whole(this.active),
      away_ms: whole(this.away),
    };
  }
  private advance(): void {
    const t = this.now();
    if (this.visible) this.active += Math.max(0, Math.min(t, this.lastInput + IDLE_MS) - this.mark);
    else this.away += t - this.mark;
    this.mark = t;
  }
}
