// The one place that speaks HTTP: same-origin fetch with the CSRF and team headers, and
// problem+json turned into Problem. Nothing here knows the DOM.

import type {LineError} from './types';

const BASE = '/api/v1';
/** No request of the page waits longer than this; streams and uploads bring their own signal. */
const TIMEOUT_MS = 30_000;

/** What the server said went wrong, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string,
    readonly errors: LineError[] = [],
    readonly requestId = '',
    readonly retryAfter_s: number | null = null,
  ) {
    super(detail || title);
    this.name = 'Problem';
  }
  /** Nothing was wrong with the request itself: the same one may succeed later. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 425 || this.status === 429 || this.status >= 500;
  }
}

export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, 'Not reached', error instanceof Error ? error.message : String(error), 'unexpected');
}

/** What every request carries beside its body; filled by the session store. */
export const identity: {csrf: string; team: string} = {csrf: '', team: ''};

type Listener = () => void;
const signedOut = new Set<Listener>();
/** Calls back when any request is answered 401. Returns the way to stop. */
export function onSignedOut(listener: Listener): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

export interface CallOptions {
  query?: Record<string, string | number | boolean | null | undefined>;
  body?: unknown;
  /** A body sent as it is, with its own content type. */
  raw?: {body: BodyInit; type: string};
  headers?: Record<string, string>;
  signal?: AbortSignal;
  keepalive?: boolean;
  /** A 401 here is an answer, not a lost session (login itself, the first look). */
  quiet401?: boolean;
}

export function url(path: string, query?: CallOptions['query']): string {
  const pairs = Object.entries(query ?? {}).filter(([, v]) => v !== null && v !== undefined && v !== '');
  const text = new URLSearchParams(pairs.map(([k, v]) => [k, String(v)])).toString();
  return BASE + path + (text ? `?${text}` : '');
}

export function headersFor(method: string, extra: Record<string, string> = {}): Record<string, string> {
  const headers: Record<string, string> = {Accept: 'application/json'};
  if (identity.team) headers['X-Hone-Team'] = identity.team;
  if (method !== 'GET' && method !== 'HEAD' && identity.csrf) headers['X-Hone-CSRF'] = identity.csrf;
  return {...headers, ...extra};
}

/** Sends one request; throws Problem on anything but 2xx. `status` tells 200 from 201. */
export async function send(method: string, path: string, options: CallOptions = {}): Promise<{status: number; response: Response}> {
  const headers = headersFor(method, options.headers);
  let body: BodyInit | undefined;
  if (options.raw) {
    body = options.raw.body;
    headers['Content-Type'] = options.raw.type;
  } else if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    headers['Content-Type'] = 'application/json';
  }
  let response: Response;
  try {
    response = await fetch(url(path, options.query), {
      method,
      headers,
      body,
      credentials: 'same-origin',
      cache: 'no-store',
      keepalive: options.keepalive,
      signal: options.signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, 'The server cannot be reached',
      'The server cannot be reached. Your connection or the server may be down.', 'unreachable');
  }
  if (response.ok) return {status: response.status, response};
  const problem = await problemOf(response);
  if (problem.status === 401 && !options.quiet401) signedOut.forEach((listener) => listener());
  throw problem;
}

export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const {response} = await send(method, path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export const get = <T>(path: string, query?: CallOptions['query'], signal?: AbortSignal) =>
  call<T>('GET', path, {query, signal});
export const post = <T>(path: string, body: unknown = {}, options: CallOptions = {}) =>
  call<T>('POST', path, {...options, body});

/** Every page of a list, up to a bound: the page shows lists whole. */
export async function getAll<T>(path: string, query: CallOptions['query'] = {}, most = 1000): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  do {
    const page: {data: T[]; has_more: boolean; next: string | null} =
      await get(path, {...query, limit: 200, cursor});
    all.push(...page.data);
    cursor = page.has_more ? page.next : null;
  } while (cursor && all.length < most);
  return all;
}

/** Reads problem+json; a body that is something else still gives a sentence. */
export async function problemOf(response: Response): Promise<Problem> {
  const requestId = response.headers.get('x-request-id') ?? '';
  const retry = Number.parseFloat(response.headers.get('retry-after') ?? '');
  const retryAfter_s = Number.isFinite(retry) ? retry : null;
  try {
    const body = await response.json();
    const detail = body.detail ?? body.error?.message ?? '';
    const errors = Array.isArray(body.errors) ? body.errors : [];
    return new Problem(response.status, body.title ?? `Status ${response.status}`, String(detail),
      body.error?.code ?? body.type ?? '', errors, requestId, retryAfter_s);
  } catch {
    return new Problem(response.status, `Status ${response.status}`,
      `The server answered with status ${response.status}.`, '', [], requestId, retryAfter_s);
  }
}
