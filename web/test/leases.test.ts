import {beforeEach, describe, expect, it} from 'vitest';
import {LeaseKeeper} from '../src/controllers/leases';

const MINUTE = 60_000;
let t = 0;
let idle = 0;
let held: string[] = [];
let asked: string[] = [];
let fails = false;
let keeper: LeaseKeeper;

beforeEach(() => {
  t = idle = 0;
  held = ['a', 'b'];
  asked = [];
  fails = false;
  keeper = new LeaseKeeper({
    held: () => held, idle_ms: () => idle, lease_ms: () => 15 * MINUTE, now: () => t,
    renew: async (ids) => {
      asked.push(`renew ${ids}`);
      if (fails) throw new Error('down');
    },
    release: async (id) => void asked.push(`release ${id}`),
  });
});

describe('leases', () => {
  it('are renewed once a minute while somebody is at work, all in one request', async () => {
    for (t = 0; t < 3 * MINUTE; t += 20_000) await keeper.renew();
    expect(asked).toEqual(['renew a,b', 'renew a,b']);
  });
  it('are left to end when nobody is there, with a warning two minutes before', async () => {
    idle = t = 12 * MINUTE;
    await keeper.renew();
    expect(asked).toEqual([]);
    expect(keeper.ending).toBe(false);
    idle = t = 13.5 * MINUTE;
    expect(keeper.ending).toBe(true);
  });
  it('are kept by the person who comes back', async () => {
    idle = t = 14 * MINUTE;
    idle = 0;
    await keeper.renew(true);
    expect(asked).toEqual(['renew a,b']);
    idle = 2 * MINUTE;
    expect(keeper.ending).toBe(false);
  });
  it('are tried again after a failed renewal, and nothing is asked for nothing', async () => {
    t = MINUTE;
    fails = true;
    await keeper.renew();
    await keeper.renew();
    expect(asked.length).toBe(2);
    held = [];
    await keeper.renew(true);
    expect(asked.length).toBe(2);
    expect(keeper.ending).toBe(false);
  });
  it('are given back one by one on leaving', () => {
    keeper.release();
    expect(asked).toEqual(['release a', 'release b']);
  });
});
