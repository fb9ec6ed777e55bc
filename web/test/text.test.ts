import {describe, expect, it} from 'vitest';
import {problemOf} from '../src/api/http';
import {ActivityClock} from '../src/controllers/clock';
import {href, parseRoute} from '../src/router';
import {differing, wordsOf} from '../src/text/diff';
import {showHidden} from '../src/text/escape';
import {isMain, readEvaluation} from '../src/text/evaluation';
import {bytes, duration, figure} from '../src/text/format';
import {Curves, decimate, niceTicks} from '../src/text/series';

describe('hidden characters', () => {
  it.each([
    ['a\u202eb', 'a⟨U+202E⟩b'], ['\u2066x\u2069', '⟨U+2066⟩x⟨U+2069⟩'], ['\u200e\u200f\u061c', '⟨U+200E⟩⟨U+200F⟩⟨U+061C⟩'],
    ['zero\u200bwidth\ufeff', 'zero⟨U+200B⟩width⟨U+FEFF⟩'], ['\u0000\u0007\u001b[31m', '⟨U+0000⟩⟨U+0007⟩⟨U+001B⟩[31m'], ['\u0085\u009b', '⟨U+0085⟩⟨U+009B⟩'],
    ['\u{e0041}\u{e007f}', '⟨U+E0041⟩⟨U+E007F⟩'], ['lone \ud800', 'lone ⟨U+D800⟩'], ['soft\u00adhyphen', 'soft⟨U+00AD⟩hyphen'], ['line\u2028end', 'line⟨U+2028⟩end'],
  ])('%j is shown as %s', (text, shown) => expect(showHidden(text)).toBe(shown));
  it.each(['plain', 'tab\tand\nline', 'مرحبا', '👩‍👩‍👧', 'می‌خواهم', 'e\u0301', '日本語'])('%j is left as it is', (text) => expect(showHidden(text)).toBe(text));
  it('a CRLF is a line end', () => expect(showHidden('a\r\nb\rc')).toBe('a\nb⟨U+000D⟩c'));
});

describe('the router', () => {
  it('reads every address that href makes', () => {
    expect(parseRoute(href('projects', 'p1', 'label'))).toEqual({page: 'label', id: 'p1'});
    expect(parseRoute(href('models', 'a/b c', 3))).toEqual({page: 'model', name: 'a/b c', version: 3});
    expect(parseRoute('')).toEqual({page: 'projects'});
    expect(parseRoute('#/join/tok')).toEqual({page: 'join', token: 'tok'});
    expect(parseRoute('#/reset/tok')).toEqual({page: 'reset', token: 'tok'});
  });
  it('calls everything else missing, broken escapes too', () => {
    for (const hash of ['#/nope', '#/projects/a/b', '#/models/a/0', '#/models/a/x', '#/join', '#/%E0%A4%A']) expect(parseRoute(hash).page).toBe('missing');
  });
});

describe('the difference of two texts', () => {
  it('marks exactly the words of one side alone', () => {
    const a = wordsOf('the quick brown fox jumps');
    const b = wordsOf('the slow brown fox leaps high');
    const only = differing(a, b)!;
    expect(a.filter((_, i) => only.a[i]).map((w) => w.text)).toEqual(['quick', 'jumps']);
    expect(b.filter((_, i) => only.b[i]).map((w) => w.text)).toEqual(['slow', 'leaps', 'high']);
  });
  it('leaves a longest common subsequence, as a quadratic table finds it', () => {
    let seed = 7;
    const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
    for (let round = 0; round < 200; ++round) {
      const make = () => wordsOf(Array.from({length: random(14)}, () => 'abcd'[random(4)]).join(' '));
      const a = make();
      const b = make();
      const only = differing(a, b)!;
      const keptA = a.filter((_, i) => !only.a[i]).map((w) => w.text);
      expect(keptA).toEqual(b.filter((_, i) => !only.b[i]).map((w) => w.text));
      const table = Array.from({length: a.length + 1}, () => new Array<number>(b.length + 1).fill(0));
      for (let i = 1; i <= a.length; ++i)
        for (let j = 1; j <= b.length; ++j)
          table[i]![j] = a[i - 1]!.text === b[j - 1]!.text ? table[i - 1]![j - 1]! + 1 : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
      expect(keptA.length).toBe(table[a.length]![b.length]);
    }
  });
  it('gives up on texts with almost nothing in common', () => {
    expect(differing(wordsOf('a '.repeat(50)), wordsOf('b '.repeat(50)), 20)).toBeUndefined();
  });
});

describe('the clock of a comparison', () => {
  it('counts active time up to 30 s after input, and time away apart', () => {
    let t = 0;
    const clock = new ActivityClock(() => t);
    clock.start();
    t = 2_000;
    clock.input();
    t = 60_000; // idle since 2 s: active until 32 s
    clock.setVisible(false);
    t = 100_000;
    clock.setVisible(true);
    t = 105_000;
    expect(clock.read()).toEqual({shown_ms: 105_000, first_input_ms: 2_000, active_ms: 37_000, away_ms: 40_000});
  });
});

describe('curves', () => {
  it('take the later value when a resumed attempt repeats steps', () => {
    const curves = new Curves();
    for (const step of [1, 2, 3, 4]) curves.add(step, {loss: step});
    curves.add(3, {loss: 30});
    expect(curves.of('loss')).toEqual([{x: 1, y: 1}, {x: 2, y: 2}, {x: 3, y: 30}]);
    curves.add(4, {loss: Number.NaN});
    expect(curves.latest('loss')).toBe(30);
  });
  it('keep their extremes when they are thinned', () => {
    const points = Array.from({length: 10_000}, (_, x) => ({x, y: x === 5_003 ? 99 : Math.sin(x)}));
    const thin = decimate(points, 300);
    expect(thin.length).toBeLessThanOrEqual(600);
    expect(Math.max(...thin.map((p) => p.y))).toBe(99);
  });
  it('get round ticks that cover their range', () => {
    expect(niceTicks(0.1, 0.69, 4)).toEqual([0, 0.2, 0.4, 0.6, 0.8]);
    expect(niceTicks(5, 5, 4)[0]).toBeLessThanOrEqual(5);
    for (const [low, high] of [[-1.3, 2.2], [1e-6, 5e-5], [0, 1], [100, 1533]] as const) {
      const ticks = niceTicks(low, high, 4);
      expect(ticks[0]).toBeLessThanOrEqual(low + 1e-12);
      expect(ticks[ticks.length - 1]).toBeGreaterThanOrEqual(high - 1e-12);
    }
  });
});

describe('an evaluation', () => {
  it('says plainly when the interval includes one half', () => {
    const {headline} = readEvaluation({win_rate: {value: 0.55, low: 0.46, high: 0.63}});
    expect(headline?.verdict).toBe('warn');
    expect(headline?.text).toContain('includes 50 %');
    expect(readEvaluation({win_rate: {value: 0.7, low: 0.6, high: 0.8}}).headline?.verdict).toBe('good');
    expect(readEvaluation({win_rate: {value: 0.3, low: 0.2, high: 0.4}}).headline?.verdict).toBe('bad');
  });
  it('reads the win rate with its company, counts as counts', () => {
    const {headline, rows} = readEvaluation({win_rate: {win_rate: 0.7, low: 0.6, high: 0.8, wins: 1, ties: 0, losses: 1, kl_seq: 6.1}});
    expect(headline?.value).toBe('70.0 %');
    expect(rows.map((r) => `${r.name} ${r.value}`)).toEqual(['Won 1', 'Tied 0', 'Lost 1', 'KL to the base (nats a response) 6.1']);
  });
  it('says a win rate once, though its metrics repeat it; settings come second', () => {
    const {rows} = readEvaluation({
      win_rate: {win_rate: 0.7, low: 0.6, high: 0.8, wins: 5, seed: 7},
      values: {'eval/prompts/wins': 5, 'eval/held_out/pref/accuracy': 0.6},
    });
    expect(rows.map((r) => `${r.name} ${r.value} ${isMain(r)}`)).toEqual(
      ['Won 5 true', 'win rate · seed 7 false', 'Accuracy on held-out pairs 60.0 % true']);
  });
  it('hides nothing it does not know', () => {
    expect(readEvaluation({odd_name: 3}).rows).toEqual([{name: 'odd name', value: '3'}]);
  });
});

describe('figures', () => {
  it('are written for people', () => {
    expect(figure(0.00005)).toBe('5e-5');
    expect(figure(1_204.4)).toBe('1,204');
    expect(figure(undefined)).toBe('–');
    expect(duration(200)).toBe('3 min 20 s');
    expect(duration(7_500)).toBe('2 h 5 min');
    expect(bytes(538_090_408)).toBe('538 MB');
  });
});

describe('a problem', () => {
  it('carries the server’s words, lines and request id', async () => {
    const body = {title: 'Invalid', detail: '2 lines refused', error: {code: 'bad_rows'}, errors: [{line: 3, pointer: '/prompt', detail: 'want text'}]};
    const problem = await problemOf(new Response(JSON.stringify(body), {status: 422, headers: {'x-request-id': 'r1'}}));
    expect([problem.message, problem.code, problem.errors[0]!.line, problem.requestId, problem.temporary]).toEqual(['2 lines refused', 'bad_rows', 3, 'r1', false]);
  });
  it('is a sentence even when the body is not JSON', async () => {
    const problem = await problemOf(new Response('<html>', {status: 502, headers: {'retry-after': '7'}}));
    expect(problem.temporary).toBe(true);
    expect(problem.retryAfter_s).toBe(7);
    expect(problem.message).toContain('502');
  });
});
