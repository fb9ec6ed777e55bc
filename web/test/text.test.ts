import {describe, expect, it} from 'vitest';
import {problemOf} from '../src/api/http';
import {ActivityClock} from '../src/controllers/clock';
import {href, parseRoute} from '../src/router';
import {differing, wordsOf} from '../src/text/diff';
import {showHidden} from '../src/text/escape';
import {inOrder, isMain, readEvaluation} from '../src/text/evaluation';
import {bytes, duration, figure} from '../src/text/format';
import {chartsOf} from '../src/text/charts';
import {rewardText} from '../src/text/rewards';
import {settingsOf, valueOf} from '../src/text/run-settings';
import {seedTable} from '../src/text/seeds';
import {bySeed, Curves, decimate, goldPoints, niceTicks} from '../src/text/series';

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

describe('the curves of a method', () => {
  const names = (method: string, reward: boolean, measured: string[] = []) => chartsOf(method, reward, measured).map((c) => c.name);
  it('are its own, before anything is measured', () => {
    expect(names('dpo.sigmoid.sum', false)).toEqual(['loss', 'pref/margin', 'pref/accuracy', 'opt/lr', 'perf/tokens_per_s', 'opt/grad_norm']);
    expect(names('rm.soft', false)).toContain('rm/nll');
    expect(names('rm.soft', false)).not.toContain('pref/margin');
    expect(names('grpo_token', true)).toEqual(expect.arrayContaining(['rl/score/mean', 'rl/kl/seq', 'rl/entropy', 'rl/length/mean']));
    expect(names('sft', false)).toEqual(['loss', 'opt/lr', 'perf/tokens_per_s', 'opt/grad_norm']);
  });
  it('grow by what was measured beside', () => {
    expect(names('ppo', true, ['value/loss', 'rl/gold'])).toEqual(expect.arrayContaining(['value/loss', 'rl/gold']));
    expect(names('ppo', true)).not.toContain('value/loss');
  });
  it('compare a loss with log 2 only where it begins there', () => {
    const guide = (method: string) => chartsOf(method, false, []).find((c) => c.name === 'loss')!.guide;
    expect(guide('rm.sigmoid')).toBe(Math.LN2);
    expect(guide('ipo.sum')).toBeUndefined();
  });
  it('tell gold and proxy over the root of the KL', () => {
    const curves = new Curves();
    curves.add(1, {loss: 1, 'rl/gold': 0.2, 'rl/proxy': 0.1, 'rl/gold/kl': 0});
    curves.add(2, {loss: 1});
    curves.add(11, {'rl/gold': 0.1, 'rl/proxy': 0.9, 'rl/gold/kl': 9});
    expect(goldPoints(curves)).toEqual([{step: 1, distance: 0, gold: 0.2, proxy: 0.1}, {step: 11, distance: 3, gold: 0.1, proxy: 0.9}]);
  });
});

describe('the form of a run', () => {
  const method = {name: 'ppo', family: 'policy', what: '', formula: '', hyperparameters: {properties: {
    warmup_ratio: {type: 'number', minimum: 0, maximum: 1, default: 0, description: 'share'},
    batch_size: {type: 'integer', minimum: 1, maximum: 65_536, default: 64, description: 'prompts a step'},
    learning_rate: {type: 'number', minimum: 1e-12, maximum: 1, default: 1e-6, 'x-default-with-adapter': 1e-5, description: 'the highest'},
    whiten: {type: 'boolean', default: true, description: 'advantages'},
    no_end_score: {type: ['number', 'null'], minimum: -1e6, maximum: 1e6, default: null, description: 'without an end'},
    advantage: {type: 'string', enum: ['gae', 'group_std'], default: 'gae', description: 'compared with'},
  }}};
  it('offers first what people set, in their order, and an adapter’s own presets', () => {
    const {main, more} = settingsOf(method, true);
    expect(main.map((s) => s.name)).toEqual(['learning_rate', 'batch_size']);
    expect(main[0]).toMatchObject({preset: 1e-5, label: 'Learning rate', help: 'the highest, 1e-12 to 1, default 1e-5'});
    expect(settingsOf(method, false).main[0]!.preset).toBe(1e-6);
    expect(more.map((s) => `${s.name} ${s.kind}`)).toEqual(['warmup_ratio number', 'whiten boolean', 'no_end_score number', 'advantage word']);
  });
  it('reads fields as the server takes them', () => {
    const of = (name: string) => [...settingsOf(method, true).main, ...settingsOf(method, true).more].find((s) => s.name === name)!;
    expect(valueOf(of('learning_rate'), '5e-5')).toBe(5e-5);
    expect(valueOf(of('no_end_score'), '')).toBeNull();
    expect(valueOf(of('whiten'), null)).toBe(false);
    expect(valueOf(of('whiten'), 'on')).toBe(true);
    expect(valueOf(of('advantage'), 'group_std')).toBe('group_std');
  });
  it('tells a reward in a line', () => {
    expect(rewardText([{model: 'id', label: 'tidy-reward version 1', name: 'model', weight: 2}, {type: 'length', name: 'length', weight: 1}])).toBe('2 × tidy-reward version 1 + length');
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
  const reward = (accuracy: number, low: number, high: number, longer = 0.55) => ({
    held_out: {pairs: 40, accuracy, low, high, 'rm/accuracy': accuracy},
    values: {
      'eval/held_out/pairs': 40, 'eval/held_out/accuracy/low': low, 'eval/held_out/accuracy/high': high, 'eval/held_out/rm/accuracy': accuracy, 'eval/held_out/rm/accuracy/longer': longer,
      'eval/held_out/rm/ece': 0.08, 'eval/held_out/rm/ece/calibrated': 0.03, 'eval/held_out/rm/ece/calibrated/low': 0.01, 'eval/held_out/rm/ece/calibrated/high': 0.07,
      'eval/held_out/rm/temperature': 1.3, 'eval/held_out/rm/brier': 0.2, 'eval/held_out/rm/accuracy/judge/J1': 0.8, 'eval/held_out/rm/accuracy/pooled': 0.7,
    },
  });
  it('sets a reward model beside always taking the longer answer', () => {
    const {headline, rows} = readEvaluation(reward(0.8, 0.65, 0.9));
    expect(headline).toMatchObject({value: '80.0 %', interval: '95 % interval 65.0 % to 90.0 %', verdict: 'good'});
    expect(headline?.text).toContain('longer answer gets 55.0 %');
    expect(rows.filter(isMain).sort(inOrder).map((r) => `${r.name}: ${r.value}${r.interval ? `, ${r.interval}` : ''}`)).toEqual([
      'Held-out pairs: 40', 'Held-out pairs ranked right: 80.0 %, 95 % interval 65.0 % to 90.0 %', 'By always taking the longer answer: 55.0 %', 'Calibration error: 0.08',
      'Calibration error, calibrated: 0.03, 95 % interval 0.01 to 0.07', 'Temperature that calibrates it: 1.3', 'Ranked right, judge J1: 80.0 %', 'Ranked right, judges and slices of few pairs: 70.0 %']);
    expect(rows.filter((r) => !isMain(r)).map((r) => r.name)).toEqual(['eval · held out · rm · brier']);
  });
  it('does not praise a reward model that may only have learnt to take the longer answer', () => {
    expect(readEvaluation(reward(0.8, 0.65, 0.9, 0.75)).headline?.verdict).toBe('warn');
    expect(readEvaluation(reward(0.55, 0.4, 0.7, 0.5)).headline?.text).toContain('coin');
    const shorter = readEvaluation(reward(1, 0.76, 1, 0)).headline;
    expect(shorter).toMatchObject({verdict: 'warn'});
    expect(shorter?.text).toContain('shorter answer gets 100.0 %');
    expect(readEvaluation(reward(0.3, 0.2, 0.45)).headline?.verdict).toBe('bad');
  });
  it.each(['pairs', 'conversations', 'answers'])('counts held-out rows that are %s', (rows) => {
    const {rows: shown} = readEvaluation({held_out: {[rows]: 12, loss: 0.4}, values: {[`eval/held_out/${rows}`]: 12, 'eval/held_out/loss': 0.4}});
    expect(shown).toEqual([{name: `Held-out ${rows}`, value: '12'}, {name: 'Loss on held-out rows', value: '0.4'}]);
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

describe('several seeds', () => {
  const mean = {mean: 0.75, n: 2, low: 0.5, high: 1};
  const result = {
    published: 1, finished: 2, failed: 1, evaluation: {'eval/held_out/loss': {...mean, mean: 0.25}, 'eval/held_out/pref/accuracy': mean, 'eval/held_out/odd': {mean: 3, n: 1}}, metrics: {loss: {mean: 0.1, n: 2}},
    seeds: [{seed: 1, ok: true, evaluation: {'eval/held_out/loss': 0.2, 'eval/held_out/pref/accuracy': 0.7}, metrics: {loss: 0.1}},
      {seed: 5, ok: false, step: 3, detail: 'the loss is not finite'},
      {seed: 2, ok: true, evaluation: {'eval/held_out/loss': 0.3, 'eval/held_out/pref/accuracy': 0.8}, metrics: {loss: 0.1}}],
  };
  it('stand side by side with mean and interval, a failed one with its reason', () => {
    const table = seedTable(result);
    expect(table.seeds).toEqual(['1', '5', '2']);
    expect(table.main[0]).toEqual({name: 'Loss on held-out rows', mean: '0.25', interval: '0.5 to 1', values: ['0.2', 'failed', '0.3']});
    expect(table.main[1]!.values).toEqual(['70.0 %', 'failed', '80.0 %']);
    expect(table.more.map((row) => [row.name, row.interval])).toEqual([['eval · held out · odd', 'of one seed: none']]);
    expect(table.failures).toEqual(['Seed 5 failed at step 3: the loss is not finite']);
  });
  it('are told by their last step where nothing was measured', () => {
    expect(seedTable({...result, evaluation: {}}).main[0]!.values).toEqual(['0.1', 'failed', '0.1']);
  });
  it('have curves of their own, each from step 1', () => {
    const points = [1, 2, 3, 4, 5].map((x) => ({x, y: x * 10}));
    expect(bySeed(points, 2)).toEqual([[{x: 1, y: 10}, {x: 2, y: 20}], [{x: 1, y: 30}, {x: 2, y: 40}], [{x: 1, y: 50}]]);
    expect(bySeed([{x: 3, y: 1}], 2)).toEqual([[], [{x: 1, y: 1}]]);
    expect(bySeed([], 0)).toEqual([]);
  });
});
