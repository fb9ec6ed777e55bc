// Answers that the server has not acknowledged yet. An entry is on disk (IndexedDB) before the
// screen advances and leaves it only after a 2xx: closing the browser, losing the network or a
// killed server costs a delay, never an answer. One sender per browser (Web Locks), in order.

import type {Answer} from '../api/types';

/** What is needed to send an answer, byte for byte the same at each attempt. */
export interface Entry {
  /** Order of giving; set by the store. */
  no?: number;
  user: string;
  team: string;
  project: string;
  assignment: string;
  key: string;
  body: string;
  answer: Answer;
  given_at: string;
  /** Set once the server refused it for good; it then waits for the person, not for the sender. */
  refused?: string;
}

export interface Sent {
  id: string;
  seq: number;
}

/** How an attempt ended, seen from the outbox. */
export type Attempt =
  | {kind: 'sent'; sent: Sent}
  | {kind: 'later'; retryAfter_s?: number | null}
  | {kind: 'login'}
  | {kind: 'refused'; detail: string};

export interface Store {
  put(entry: Entry): Promise<number>;
  list(): Promise<Entry[]>;
  get(no: number): Promise<Entry | undefined>;
  update(entry: Entry): Promise<void>;
  remove(no: number): Promise<void>;
}

export interface OutboxOptions {
  store: Store;
  send: (entry: Entry) => Promise<Attempt>;
  wait?: (ms: number) => Promise<void>;
  lock?: <T>(work: () => Promise<T>) => Promise<T>;
  random?: () => number;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** @fires change - the number waiting, refused or the reason changed · sent - CustomEvent<{entry, sent}> · refused - CustomEvent<Entry> */
export class Outbox extends EventTarget {
  user = '';
  waiting = 0;
  refused: Entry[] = [];
  /** Why entries wait, when they do: undefined while all is well. */
  reason: 'offline' | 'login' | undefined;
  /** The answers are in memory only: the browser offers no storage. */
  volatile = false;

  private running = false;
  private again = false;
  private wake: (() => void) | undefined;
  private sending: number | undefined;
  private failures = 0;

  constructor(private options: OutboxOptions) {
    super();
  }

  /** Whose answers are sent: another person at the same browser never sends the first one's. */
  async use(user: string): Promise<void> {
    this.user = user;
    this.reason = undefined;
    await this.count();
    this.kick();
  }

  /** Resolves when the entry is stored; sending goes on by itself. */
  async add(entry: Omit<Entry, 'no'>): Promise<number> {
    const no = await this.options.store.put(entry);
    await this.count();
    this.kick();
    return no;
  }

  /** Takes an entry back; false when it was already sent, or is on its way right now. */
  async takeBack(no: number): Promise<boolean> {
    if (this.sending === no) return false;
    const entry = await this.options.store.get(no);
    if (!entry || this.sending === no) return false;
    await this.options.store.remove(no);
    await this.count();
    return true;
  }

  /** The assignments answered here and not yet known to the server. */
  async pendingAssignments(): Promise<Set<string>> {
    return new Set((await this.mine()).filter((entry) => !entry.refused).map((entry) => entry.assignment));
  }

  /** The person has read (and perhaps copied) a refused answer. */
  async dismiss(no: number): Promise<void> {
    await this.options.store.remove(no);
    await this.count();
  }

  /** Tries now: new entry, network back, logged in again. */
  kick(): void {
    this.wake?.();
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    void this.drain().finally(() => {
      this.running = false;
      if (this.again) {
        this.again = false;
        this.kick();
      }
    });
  }

  private async drain(): Promise<void> {
    const lock = this.options.lock ?? ((work) => work());
    await lock(async () => {
      for (;;) {
        this.again = false;
        const entry = (await this.mine()).find((e) => !e.refused);
        if (!entry) {
          this.note(undefined);
          return;
        }
        this.sending = entry.no;
        const attempt = await this.options.send(entry).catch((): Attempt => ({kind: 'later'}));
        this.sending = undefined;
        if (!(await this.settle(entry, attempt))) return;
      }
    });
  }

  /** Acts on one attempt's end; false when sending must stop until a kick. */
  private async settle(entry: Entry, attempt: Attempt): Promise<boolean> {
    switch (attempt.kind) {
      case 'sent':
        await this.options.store.remove(entry.no!);
        this.failures = 0;
        this.reason = undefined;
        await this.count();
        this.dispatchEvent(new CustomEvent('sent', {detail: {entry, sent: attempt.sent}}));
        return true;
      case 'refused':
        await this.options.store.update({...entry, refused: attempt.detail});
        this.failures = 0;
        await this.count();
        this.dispatchEvent(new CustomEvent('refused', {detail: entry}));
        return true;
      case 'login':
        this.note('login');
        return false;
      case 'later': {
        this.note('offline');
        const step = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures++);
        const random = this.options.random ?? Math.random;
        await this.sleep(Math.max(step * (0.5 + random() / 2), (attempt.retryAfter_s ?? 0) * 1000));
        return true;
      }
    }
  }

  private async sleep(ms: number): Promise<void> {
    const woken = new Promise<void>((resolve) => (this.wake = resolve));
    const wait = this.options.wait ?? ((t: number) => new Promise<void>((resolve) => setTimeout(resolve, t)));
    await Promise.race([wait(ms), woken]);
    this.wake = undefined;
  }

  private async mine(): Promise<Entry[]> {
    return (await this.options.store.list()).filter((entry) => entry.user === this.user);
  }
  /** Reads the numbers again, also after another tab changed the store. */
  async count(): Promise<void> {
    const mine = await this.mine();
    this.waiting = mine.filter((entry) => !entry.refused).length;
    this.refused = mine.filter((entry) => entry.refused);
    this.dispatchEvent(new Event('change'));
  }
  private note(reason: Outbox['reason']): void {
    if (this.reason === reason) return;
    this.reason = reason;
    this.dispatchEvent(new Event('change'));
  }
}

/** The real store. */
export class IndexedDbStore implements Store {
  private opened: Promise<IDBDatabase> | undefined;
  constructor(private name = 'hone-outbox') {}

  private db(): Promise<IDBDatabase> {
    this.opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(this.name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore('answers', {keyPath: 'no', autoIncrement: true});
      request.onsuccess = () => {
        request.result.onclose = () => (this.opened = undefined);
        resolve(request.result);
      };
      request.onerror = () => {
        this.opened = undefined;
        reject(request.error);
      };
    });
    return this.opened;
  }
  private async run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const db = await this.db();
    return new Promise<T>((resolve, reject) => {
      const transaction = db.transaction('answers', mode, {durability: 'strict'});
      const request = act(transaction.objectStore('answers'));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
      transaction.onerror = () => reject(transaction.error ?? request.error);
    });
  }
  async put(entry: Entry): Promise<number> {
    return Number(await this.run('readwrite', (store) => store.add(entry)));
  }
  list(): Promise<Entry[]> {
    return this.run<Entry[]>('readonly', (store) => store.getAll());
  }
  get(no: number): Promise<Entry | undefined> {
    return this.run<Entry | undefined>('readonly', (store) => store.get(no));
  }
  async update(entry: Entry): Promise<void> {
    await this.run('readwrite', (store) => store.put(entry));
  }
  async remove(no: number): Promise<void> {
    await this.run('readwrite', (store) => store.delete(no));
  }
}

/** Where the browser gives no storage: works as long as the page is open. */
export class MemoryStore implements Store {
  private entries = new Map<number, Entry>();
  private last = 0;
  async put(entry: Entry): Promise<number> {
    const no = ++this.last;
    this.entries.set(no, {...entry, no});
    return no;
  }
  async list(): Promise<Entry[]> {
    return [...this.entries.values()];
  }
  async get(no: number): Promise<Entry | undefined> {
    return this.entries.get(no);
  }
  async update(entry: Entry): Promise<void> {
    this.entries.set(entry.no!, entry);
  }
  async remove(no: number): Promise<void> {
    this.entries.delete(no);
  }
}
