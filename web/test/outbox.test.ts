import 'fake-indexeddb/auto';
import {beforeEach, describe, expect, it} from 'vitest';
import {IndexedDbStore, MemoryStore, Outbox, type Attempt, type Entry, type Store} from '../src/controllers/outbox';

let named = 0;
const entry = (key: string, user = 'ada'): Omit<Entry, 'no'> => ({
  user, team: 't', project: 'p', assignment: `a-${key}`, key, body: `{"key":"${key}"}`,
  answer: {verdict: 'tie', strength: 0}, given_at: '2025-01-01T00:00:00Z',
});
const sent = (id: string): Attempt => ({kind: 'sent', sent: {id, seq: 1}});

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; ++i) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it never happened');
}

describe.each([['IndexedDB', () => new IndexedDbStore(`test-${++named}`)], ['memory', () => new MemoryStore()]])('an outbox on %s', (_name, make) => {
  let store: Store;
  beforeEach(() => (store = make()));

  it('sends in the order of giving and keeps nothing that was acknowledged', async () => {
    const seen: string[] = [];
    const outbox = new Outbox({store, send: async (e) => (seen.push(e.key), sent(e.key))});
    await outbox.use('ada');
    await Promise.all([outbox.add(entry('1')), outbox.add(entry('2')), outbox.add(entry('3'))]);
    await until(() => seen.length === 3 && outbox.waiting === 0);
    expect(seen).toEqual(['1', '2', '3']);
    expect(await store.list()).toEqual([]);
  });

  it('has the answer stored before add() resolves, whatever the network does', async () => {
    const outbox = new Outbox({store, send: () => new Promise(() => {})});
    await outbox.use('ada');
    await outbox.add(entry('1'));
    expect((await store.list()).map((e) => e.key)).toEqual(['1']);
    expect(outbox.waiting).toBe(1);
  });

  it('resends the same key and body until a 2xx, and doubles nothing', async () => {
    const tries: string[] = [];
    let answers: Attempt[] = [{kind: 'later'}, {kind: 'later'}, sent('j1')];
    const outbox = new Outbox({store, send: async (e) => (tries.push(e.key + e.body), answers.shift()!), wait: async () => {}});
    await outbox.use('ada');
    await outbox.add(entry('1'));
    await until(() => outbox.waiting === 0);
    expect(tries).toEqual(Array(3).fill('1{"key":"1"}'));
    expect(outbox.reason).toBeUndefined();
  });

  it('waits longer after each failure, within a bound, and at least as long as the server says', async () => {
    const waits: number[] = [];
    let left = 9;
    const outbox = new Outbox({
      store, random: () => 1, wait: async (ms) => void waits.push(ms),
      send: async () => (left-- > 0 ? {kind: 'later', retryAfter_s: left === 0 ? 60 : null} : sent('j')),
    });
    await outbox.use('ada');
    await outbox.add(entry('1'));
    await until(() => outbox.waiting === 0);
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 60000]);
  });

  it('keeps answers when the login has ended, and sends them after the next login', async () => {
    let loggedIn = false;
    const outbox = new Outbox({store, send: async () => (loggedIn ? sent('j') : {kind: 'login'})});
    await outbox.use('ada');
    await outbox.add(entry('1'));
    await until(() => outbox.reason === 'login');
    expect(outbox.waiting).toBe(1);
    loggedIn = true;
    await outbox.use('ada');
    await until(() => outbox.waiting === 0);
  });

  it('never sends one person’s answers as another', async () => {
    const seen: string[] = [];
    const outbox = new Outbox({store, send: async (e) => (seen.push(e.user), sent('j'))});
    await store.put({...entry('1', 'ada')});
    await outbox.use('ben');
    await outbox.add(entry('2', 'ben'));
    await until(() => outbox.waiting === 0);
    expect(seen).toEqual(['ben']);
    expect((await store.list()).map((e) => e.user)).toEqual(['ada']);
  });

  it('puts a refused answer on a list, tells why, and goes on with the others', async () => {
    const outbox = new Outbox({store, send: async (e) => (e.key === '1' ? {kind: 'refused', detail: 'not yours'} : sent('j'))});
    await outbox.use('ada');
    await outbox.add(entry('1'));
    await outbox.add(entry('2'));
    await until(() => outbox.waiting === 0);
    expect(outbox.refused.map((e) => [e.key, e.refused])).toEqual([['1', 'not yours']]);
    expect(await outbox.pendingAssignments()).toEqual(new Set());
    await outbox.dismiss(outbox.refused[0]!.no!);
    expect(outbox.refused).toEqual([]);
  });

  it('takes back an answer that was not sent, but not one on its way', async () => {
    let release: (attempt: Attempt) => void = () => {};
    const outbox = new Outbox({store, send: () => new Promise((resolve) => (release = resolve))});
    await outbox.use('ada');
    const first = await outbox.add(entry('1'));
    const second = await outbox.add(entry('2'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await outbox.takeBack(first)).toBe(false);
    expect(await outbox.takeBack(second)).toBe(true);
    release(sent('j'));
    await until(() => outbox.waiting === 0);
    expect(await outbox.takeBack(first)).toBe(false);
  });

  it('tries at once when the network comes back', async () => {
    let up = false;
    const outbox = new Outbox({store, send: async () => (up ? sent('j') : {kind: 'later'}), wait: () => new Promise(() => {})});
    await outbox.use('ada');
    await outbox.add(entry('1'));
    await until(() => outbox.reason === 'offline');
    await new Promise((resolve) => setTimeout(resolve, 20));
    up = true;
    outbox.kick();
    await until(() => outbox.waiting === 0);
  });
});

it('answers outlive the page: another outbox on the same store sends them', async () => {
  const name = `test-${++named}`;
  const before = new Outbox({store: new IndexedDbStore(name), send: () => new Promise(() => {})});
  await before.use('ada');
  await before.add(entry('1'));
  const seen: string[] = [];
  const after = new Outbox({store: new IndexedDbStore(name), send: async (e) => (seen.push(e.key), sent('j'))});
  await after.use('ada');
  await until(() => after.waiting === 0);
  expect(seen).toEqual(['1']);
});
