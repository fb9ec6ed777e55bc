import {describe, expect, it} from 'vitest';
import type {Item, QueueReply} from '../src/api/types';
import {UNDO_DEPTH, Work} from '../src/controllers/work';

const item = (n: number | string): Item => ({assignment: `a${n}`, impression: `i${n}`, lease_until: '', prompt: [], left: [], right: [], answer: null});
const none: QueueReply = {items: [], reason: 'none_left', retry_after: null};
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A server with a queue that leases at most three, and gives those on lease again unless they are held. */
function server(n: number) {
  const left = Array.from({length: n}, (_, i) => item(i));
  const leased: Item[] = [];
  const calls: [number, string[]][] = [];
  return {
    calls, leased,
    done: (assignment: string) => leased.splice(leased.findIndex((i) => i.assignment === assignment), 1),
    next: async (count: number, holding: string[]): Promise<QueueReply> => {
      calls.push([count, holding]);
      while (leased.length < 3 && left.length) leased.push(left.shift()!);
      const items = leased.filter((i) => !holding.includes(i.assignment)).slice(0, count);
      return items.length ? {items, reason: null, retry_after: null} : none;
    },
    answered: async () => new Set<string>(),
  };
}

describe('work', () => {
  it('holds three ahead and shows the next at once, without asking', async () => {
    const source = server(10);
    const work = new Work(source);
    await work.start();
    expect(work.held).toEqual(['a0', 'a1', 'a2']);
    const asked = source.calls.length;
    work.advance({assignment: 'a0'});
    expect(work.current?.assignment).toBe('a1');
    expect(source.calls.length).toBe(asked);
    source.done('a0');
    work.refill();
    await settle();
    expect(work.held).toEqual(['a1', 'a2', 'a3']);
  });

  it('never shows an answered one again, though the server still hands it out', async () => {
    const source = server(1);
    const work = new Work(source);
    await work.start();
    work.advance({assignment: 'a0'}); // its answer is still on the way
    await settle();
    expect(work.current).toBeUndefined();
    expect(work.state).toBe('loading');
    source.done('a0');
    await work.retry();
    expect(work.state).toBe('none_left');
  });

  it('leaves out what waits in the outbox from an earlier visit', async () => {
    const source = server(2);
    const work = new Work({...source, answered: async () => new Set(['a0'])});
    await work.start();
    expect(work.held).toEqual(['a1']);
  });

  it('shows an undone item before the one on the screen, which keeps its place', async () => {
    const work = new Work(server(3));
    await work.start();
    work.advance({assignment: 'a0', judgment: 'j0'});
    work.past.pop();
    work.reopen({...item(0), impression: 'again', answer: {verdict: 'tie', strength: 0}});
    expect(work.held).toEqual(['a0', 'a1', 'a2']);
    expect(work.current?.answer?.verdict).toBe('tie');
  });

  it(`can undo ${UNDO_DEPTH} deep and forgets what is older`, async () => {
    const work = new Work(server(30));
    for (let i = 0; i < 25; ++i) work.advance({assignment: `x${i}`});
    expect(work.past.length).toBe(UNDO_DEPTH);
    expect(work.past[0]!.assignment).toBe('x5');
  });

  it('says why there is nothing: none left, paused, or a problem', async () => {
    const reasons: QueueReply[] = [none, {items: [], reason: 'paused', retry_after: 30}];
    const work = new Work({next: async () => reasons.shift()!, answered: async () => new Set()});
    await work.start();
    expect(work.state).toBe('none_left');
    await work.retry();
    expect(work.state).toBe('paused');
    expect(work.retryAfter_s).toBe(30);
    const broken = new Work({next: async () => Promise.reject(new Error('down')), answered: async () => new Set()});
    await broken.start();
    expect(broken.state).toBe('problem');
    expect(broken.problem?.message).toBe('down');
  });

  it('keeps the item on the screen when the next ones cannot be fetched', async () => {
    const source = server(5);
    let down = false;
    const work = new Work({...source, next: (n, held) => (down ? Promise.reject(new Error('down')) : source.next(n, held))});
    await work.start();
    down = true;
    source.done('a0');
    work.advance({assignment: 'a0'});
    work.refill();
    await settle();
    expect(work.state).toBe('item');
  });
});
