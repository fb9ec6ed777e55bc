import {describe, expect, it} from 'vitest';
import type {RunEvent} from '../src/api/types';
import {FrameParser, LiveStream, type LiveState} from '../src/controllers/live';

const frame = (seq: number) => `id: ${seq}\nevent: metrics\ndata: {"seq":${seq},"type":"metrics","at":""}\n\n`;

describe('the frame parser', () => {
  it('reads events whole, however the bytes are cut', () => {
    const text = `: heartbeat\n\nretry: 2000\n\nid: 7\r\nevent: progress\r\ndata: {"a":\ndata: 1}\n\n`;
    for (let cut = 1; cut < text.length; ++cut) {
      const parser = new FrameParser();
      const frames = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      expect(frames).toEqual([{id: '7', event: 'progress', data: '{"a":\n1}'}]);
    }
  });
  it('knows the end of the stream, which carries no id', () => {
    expect(new FrameParser().push('event: end\ndata: {}\n\n')).toEqual([{id: undefined, event: 'end', data: '{}'}]);
  });
});

/** A fetch that answers each call with the next body; remembers the headers. */
function streams(bodies: (string | number)[]) {
  const asked: string[] = [];
  const fetcher = (async (_url: string, init: RequestInit) => {
    asked.push((init.headers as Record<string, string>)['Last-Event-ID'] ?? '');
    const body = bodies.shift();
    if (body === undefined) throw new Error('no more');
    return typeof body === 'number' ? new Response('{"detail":"no"}', {status: body}) : new Response(body);
  }) as unknown as typeof fetch;
  return {asked, fetcher};
}

function follow(bodies: (string | number)[]): Promise<{events: RunEvent[]; states: LiveState[]; asked: string[]}> {
  const {asked, fetcher} = streams(bodies);
  const events: RunEvent[] = [];
  const states: LiveState[] = [];
  return new Promise((resolve) => {
    const live = new LiveStream('/runs/r/events', {
      fetch: fetcher, wait: async () => {},
      onEvents: (more) => events.push(...more),
      onState: (state) => {
        states.push(state);
        if (state === 'ended' || state === 'refused') {
          live.stop();
          resolve({events, states, asked});
        }
      },
    });
  });
}

describe('a live stream', () => {
  it('resumes after the last event it saw, and drops what is replayed', async () => {
    const {events, asked} = await follow([frame(1) + frame(2), frame(2) + frame(3), 503, frame(4) + 'event: end\ndata: {}\n\n']);
    expect(events.map((e) => e.seq)).toEqual([1, 2, 3, 4]);
    expect(asked).toEqual(['', '2', '3', '3']);
  });
  it('gives up when the server says no, instead of asking for ever', async () => {
    const {states} = await follow([404]);
    expect(states).toEqual(['connecting', 'refused']);
  });
});
