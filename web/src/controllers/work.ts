// What the annotator sees next: leased comparisons held ahead, history for undo, and the states in
// between. Behaviour without DOM or network: both are passed in.

import type {Answer, Item, QueueReply} from '../api/types';

export const AHEAD = 3;
export const UNDO_DEPTH = 20;

/** One answer that can still be undone. */
export interface Past {
  assignment: string;
  /** Known once the server acknowledged it. */
  judgment?: string;
  /** Its place in the outbox while it is not acknowledged. */
  no?: number;
  item?: Item;
  answer?: Answer;
}

export type WorkState = 'loading' | 'item' | 'none_left' | 'paused' | 'problem';

export interface WorkSource {
  /** Up to n more; `holding` is what the page has already and is not given again. */
  next(n: number, holding: string[]): Promise<QueueReply>;
  /** Assignments answered in this browser and still waiting to be sent: never shown again. */
  answered(): Promise<Set<string>>;
}

/** @fires change */
export class Work extends EventTarget {
  state: WorkState = 'loading';
  current: Item | undefined;
  problem: Error | undefined;
  retryAfter_s: number | null = null;
  readonly past: Past[] = [];

  private ahead: Item[] = [];
  private done = new Set<string>();
  private fetching: Promise<void> | undefined;
  private wanted = false;

  constructor(private source: WorkSource) {
    super();
  }

  /** The item after the current one, for rendering it before it is needed. */
  get upcoming(): readonly Item[] {
    return this.ahead;
  }
  /** Assignments held by this page and not answered: what must be renewed, or given back. */
  get held(): string[] {
    return [...(this.current ? [this.current] : []), ...this.ahead].map((item) => item.assignment);
  }

  start(): Promise<void> {
    return this.fill();
  }

  /** The current item was answered (and the answer is stored): goes on to the next at once. */
  advance(past: Past): void {
    this.done.add(past.assignment);
    this.past.push(past);
    if (this.past.length > UNDO_DEPTH) this.past.shift();
    this.take();
    // Otherwise the page asks once the answer has arrived: before, its lease still counts.
    if (!this.current) void this.fill();
  }

  /** An answer arrived: its lease is free for another item. */
  refill(): void {
    if (this.held.length < AHEAD) void this.fill();
  }

  /** The server did not accept the answer: it may hand the comparison out again. */
  forget(assignment: string): void {
    this.done.delete(assignment);
  }

  /** Shows an undone item again; the one on the screen waits its turn. */
  reopen(item: Item): void {
    this.done.delete(item.assignment);
    if (this.current && this.current.assignment !== item.assignment) this.ahead.unshift(this.current);
    this.ahead = this.ahead.filter((other) => other.assignment !== item.assignment);
    this.current = item;
    this.set('item');
  }

  /** Asks again: after a pause, a problem, or when new work may have come. */
  retry(): Promise<void> {
    if (!this.current && this.state === 'problem') this.set('loading');
    return this.fill();
  }

  /** Leases ran out or were given back: what was held is fetched anew. */
  drop(): void {
    this.ahead = [];
    this.current = undefined;
    this.set('loading');
  }

  private fill(): Promise<void> {
    if (this.fetching) this.wanted = true;
    this.fetching ??= this.fetch().finally(() => {
      this.fetching = undefined;
      if (!this.wanted) return;
      this.wanted = false;
      this.refill();
    });
    return this.fetching;
  }

  private async fetch(): Promise<void> {
    while (this.held.length < AHEAD) {
      let reply: QueueReply;
      let waiting: Set<string>;
      try {
        waiting = await this.source.answered();
        reply = await this.source.next(AHEAD - this.held.length, [...this.held, ...waiting].slice(0, 20));
      } catch (error) {
        this.problem = error as Error;
        if (!this.current) this.set('problem');
        return;
      }
      this.problem = undefined;
      const held = new Set(this.held);
      const fresh = reply.items.filter((item) =>
        !held.has(item.assignment) && !waiting.has(item.assignment) && !this.done.has(item.assignment));
      this.ahead.push(...fresh);
      if (!this.current) this.take();
      else this.changed();
      if (!this.current) {
        this.retryAfter_s = reply.retry_after;
        // Answered here and on its way: the server will know in a moment.
        const onTheWay = waiting.size > 0 || reply.items.length > 0 || reply.reason === 'cap';
        if (onTheWay) this.retryAfter_s = 1;
        this.set(onTheWay ? 'loading' : reply.reason === 'paused' ? 'paused' : 'none_left');
      }
      if (fresh.length === 0) return;
    }
  }

  private take(): void {
    this.current = this.ahead.shift();
    this.set(this.current ? 'item' : this.state === 'item' ? 'loading' : this.state);
  }
  private set(state: WorkState): void {
    this.state = state;
    this.changed();
  }
  private changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}
