// Keeps the leases of what a page holds: renewed at most once a minute and only while somebody is at
// work, a warning before they end, given back on leaving. Network, clock and input are passed in.

export const RENEW_EVERY_MS = 60_000;
const WARN_BEFORE_MS = 120_000;

export interface LeaseOptions {
  /** Assignments held and not answered. */
  held: () => string[];
  /** Time since the last key or touch. */
  idle_ms: () => number;
  lease_ms: () => number;
  now: () => number;
  renew: (ids: string[]) => Promise<unknown>;
  release: (id: string) => Promise<unknown>;
}

export class LeaseKeeper {
  private granted_at: number;

  constructor(private options: LeaseOptions) {
    this.granted_at = options.now();
  }

  /** The server has just granted leases. */
  granted(): void {
    this.granted_at = this.options.now();
  }

  /** Renews when it is time and somebody is there; `now` when a person has come back. */
  async renew(now = false): Promise<void> {
    const {held, idle_ms} = this.options;
    const ids = held();
    const due = this.options.now() - this.granted_at >= RENEW_EVERY_MS * 0.9;
    if (!ids.length || (!now && (!due || idle_ms() > RENEW_EVERY_MS))) return;
    const before = this.granted_at;
    this.granted(); // at most one request a minute, also when it fails
    try {
      await this.options.renew(ids);
    } catch {
      // The lease may run out; a late answer is still accepted and kept.
      this.granted_at = before;
    }
  }

  /** Nobody is there and the leases end soon: any key or touch keeps them. */
  get ending(): boolean {
    const lease = this.options.lease_ms();
    const left = this.granted_at + lease - this.options.now();
    return this.options.held().length > 0 && left < Math.min(WARN_BEFORE_MS, lease / 2) && this.options.idle_ms() > RENEW_EVERY_MS;
  }

  /** Gives all back: a hint, the lease's end does the same later. */
  release(): void {
    for (const id of this.options.held()) void this.options.release(id).catch(() => {});
  }
}
