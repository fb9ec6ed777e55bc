// The page's one outbox, sending by HTTP. Made once; pages listen to it.

import {IndexedDbStore, MemoryStore, Outbox, type Attempt, type Entry, type Sent, type Store} from '../controllers/outbox';
import {call, identity, Problem} from './http';
import {session} from './session';

async function sendEntry(entry: Entry): Promise<Attempt> {
  if (session.state !== 'in' || session.info?.user.id !== entry.user) return {kind: 'login'};
  try {
    return {kind: 'sent', sent: await post(entry)};
  } catch (error) {
    if (!(error instanceof Problem)) return {kind: 'later'};
    if (error.status === 401) return {kind: 'login'};
    // A login in another tab makes a new CSRF value: read it again before calling this refused.
    if (error.status === 403) {
      const before = identity.csrf;
      await session.load();
      if (session.state !== 'in') return {kind: 'login'};
      if (identity.csrf !== before) return {kind: 'later'};
    }
    if (error.temporary) return {kind: 'later', retryAfter_s: error.retryAfter_s};
    return {kind: 'refused', detail: error.message};
  }
}

function post(entry: Entry): Promise<Sent> {
  return call<Sent>('POST', `/assignments/${entry.assignment}/judgments`, {
    raw: {body: entry.body, type: 'application/json'},
    headers: {'Idempotency-Key': entry.key, 'X-Hone-Team': entry.team},
  });
}

/** Uses memory, and says so, when the browser refuses storage at the first write. */
class SafeStore implements Store {
  private inner: Store = new IndexedDbStore();
  private async attempt<T>(act: (store: Store) => Promise<T>): Promise<T> {
    try {
      return await act(this.inner);
    } catch (error) {
      if (this.inner instanceof MemoryStore) throw error;
      this.inner = new MemoryStore();
      outbox.volatile = true;
      return act(this.inner);
    }
  }
  put = (entry: Entry) => this.attempt((store) => store.put(entry));
  list = () => this.attempt((store) => store.list());
  get = (no: number) => this.attempt((store) => store.get(no));
  update = (entry: Entry) => this.attempt((store) => store.update(entry));
  remove = (no: number) => this.attempt((store) => store.remove(no));
}

const locks = typeof navigator !== 'undefined' ? navigator.locks : undefined;

export const outbox = new Outbox({
  store: new SafeStore(),
  send: sendEntry,
  lock: locks ? (work) => locks.request('hone-outbox', work) as Promise<Awaited<ReturnType<typeof work>>> : undefined,
});

/** Connects the outbox to the browser: network, other tabs, logins. Called once at start. */
export function startOutbox(): void {
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel('hone-outbox') : undefined;
  channel?.addEventListener('message', () => void outbox.count());
  outbox.addEventListener('sent', () => channel?.postMessage('sent'));
  window.addEventListener('online', () => outbox.kick());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') outbox.kick();
  });
  window.addEventListener('beforeunload', (event) => {
    if (outbox.volatile && outbox.waiting) event.preventDefault();
  });
  session.addEventListener('change', () => {
    if (session.state === 'in' && session.info) void outbox.use(session.info.user.id);
  });
}

/** 16–128 characters that no other answer has. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
