// A live stream of a run's or job's events: server-sent events over fetch (an EventSource could not
// name the team), resumed after the last seq, with back-off. Ends on `event: end`.

import {headersFor, problemOf, url} from '../api/http';
import type {RunEvent} from '../api/types';

export interface Frame {
  id?: string;
  event: string;
  data: string;
}

/** Cuts a byte stream's text into server-sent events; comments and unknown fields are ignored. */
export class FrameParser {
  private rest = '';
  private lines: string[] = [];

  push(text: string): Frame[] {
    const frames: Frame[] = [];
    this.rest += text;
    for (;;) {
      const end = /\r\n|\n|\r(?=.)/s.exec(this.rest);
      if (!end) return frames;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      if (line !== '') {
        this.lines.push(line);
        continue;
      }
      const frame = frameOf(this.lines);
      this.lines = [];
      if (frame) frames.push(frame);
    }
  }
}

function frameOf(lines: string[]): Frame | undefined {
  let id: string | undefined;
  let event = 'message';
  const data: string[] = [];
  for (const line of lines) {
    if (line.startsWith(':')) continue;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id') id = value;
  }
  return data.length || event !== 'message' ? {id, event, data: data.join('\n')} : undefined;
}

export type LiveState = 'connecting' | 'live' | 'waiting' | 'ended' | 'refused';

export interface LiveOptions {
  onEvents: (events: RunEvent[]) => void;
  onState?: (state: LiveState) => void;
  fetch?: typeof fetch;
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** No heartbeat for this long (the server sends one each 25 s) means a dead connection. */
const SILENCE_MS = 60_000;
const LONGEST_WAIT_MS = 15_000;

export class LiveStream {
  private stopper = new AbortController();
  private lastSeq = 0;
  private failures = 0;

  constructor(private path: string, private options: LiveOptions) {
    void this.run();
  }
  stop(): void {
    this.stopper.abort();
  }

  private async run(): Promise<void> {
    const stop = this.stopper.signal;
    const wait = this.options.wait ?? pause;
    while (!stop.aborted) {
      this.options.onState?.('connecting');
      const ended = await this.once(stop).catch((error) => {
        if (error instanceof Refused) return 'refused' as const;
        return false as const;
      });
      if (stop.aborted) return;
      if (ended) {
        this.options.onState?.(ended === 'refused' ? 'refused' : 'ended');
        return;
      }
      this.options.onState?.('waiting');
      await wait(Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures++) * (0.75 + Math.random() / 2), stop).catch(() => {});
    }
  }

  /** One connection; true when the stream said that it is over. */
  private async once(stop: AbortSignal): Promise<boolean> {
    const connection = new AbortController();
    const abort = () => connection.abort();
    stop.addEventListener('abort', abort, {once: true});
    let silence = setTimeout(abort, SILENCE_MS);
    try {
      const response = await (this.options.fetch ?? fetch)(url(this.path, {after_seq: this.lastSeq}), {
        headers: headersFor('GET', {Accept: 'text/event-stream', ...(this.lastSeq ? {'Last-Event-ID': String(this.lastSeq)} : {})}),
        credentials: 'same-origin',
        cache: 'no-store',
        signal: connection.signal,
      });
      if (!response.ok) {
        const problem = await problemOf(response);
        if (!problem.temporary) throw new Refused(problem.message);
        return false;
      }
      this.options.onState?.('live');
      const parser = new FrameParser();
      const decoder = new TextDecoder();
      const reader = response.body!.getReader();
      for (;;) {
        const {done, value} = await reader.read();
        if (done) return false;
        clearTimeout(silence);
        silence = setTimeout(abort, SILENCE_MS);
        if (this.take(parser.push(decoder.decode(value, {stream: true})))) {
          void reader.cancel().catch(() => {});
          return true;
        }
      }
    } finally {
      clearTimeout(silence);
      stop.removeEventListener('abort', abort);
    }
  }

  private take(frames: Frame[]): boolean {
    const events: RunEvent[] = [];
    let over = false;
    for (const frame of frames) {
      if (frame.event === 'end') {
        over = true;
        continue;
      }
      let event: RunEvent;
      try {
        event = JSON.parse(frame.data);
      } catch {
        continue;
      }
      if (typeof event.seq !== 'number' || event.seq <= this.lastSeq) continue; // a replayed one
      this.lastSeq = event.seq;
      events.push(event);
    }
    if (events.length) {
      this.failures = 0;
      this.options.onEvents(events);
    }
    return over;
  }
}

class Refused extends Error {}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, {once: true});
  });
}
