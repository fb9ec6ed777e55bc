// A stand-in for hone-server while the page is being worked on: made-up data in memory, the shapes
// of the real routes. Never part of the product, and no test claims anything by it.

import {randomUUID} from 'node:crypto';
import type {IncomingMessage, ServerResponse} from 'node:http';

type Json = Record<string, any>;
type Next = () => void;

const now = () => new Date().toISOString();
const list = (data: unknown[]) => ({data, has_more: false, next: null});
const hash = () => randomUUID().replaceAll('-', '') + randomUUID().replaceAll('-', '');

const TEXTS: {prompt: Json[]; answers: [string, string]}[] = [
  {
    prompt: [{role: 'user', content: 'My rice always sticks to the pot. What am I doing wrong?'}],
    answers: [
      'Usually it is **too much heat** or **too little rinsing**.\n\n1. Rinse the rice until the water runs clear; that washes off the loose starch.\n2. Use about 1.5 parts water to 1 part rice.\n3. Bring it to a boil, then cover and turn the heat to the lowest setting for 12 minutes.\n4. Leave it off the heat, lid on, for 10 minutes before you stir.\n\nIf the bottom still catches, your pot is thin: a heat diffuser helps.',
      'Rice sticking to the pot can happen for many different reasons. Rice is a staple food eaten all over the world by many people. There are many kinds of rice, such as basmati, jasmine and brown rice. It is important to use the right amount of water. You should also make sure that the heat is not too high. Some people like to rinse their rice and others do not.\n\nI hope this helps! Let me know if you have any other questions about rice.',
    ],
  },
  {
    prompt: [
      {role: 'user', content: 'I want to learn a little Python. Where do I begin?'},
      {role: 'assistant', content: 'With something small that you would use yourself. What annoys you about your files or your mail?'},
      {role: 'user', content: 'I have hundreds of photos with random names. Could I rename them by date?'},
    ],
    answers: [
      'Yes. This renames every JPEG in a folder to the day it was taken:\n\n```python\nfrom pathlib import Path\nfrom datetime import datetime\n\nfor photo in sorted(Path("photos").glob("*.jpg")):\n    taken = datetime.fromtimestamp(photo.stat().st_mtime)\n    target = photo.with_name(f"{taken:%Y-%m-%d_%H%M%S}.jpg")\n    if not target.exists():\n        photo.rename(target)\n```\n\nTry it on a **copy** of the folder first.',
      'You can use the `os` module:\n\n```python\nimport os, time\nfor f in os.listdir("."):\n    t = time.localtime(os.path.getmtime(f))\n    os.rename(f, time.strftime("%Y-%m-%d", t) + ".jpg")\n```\n\nThis goes through all files and renames them. Two photos of one day would overwrite each other, though, so add a counter.',
    ],
  },
  {
    prompt: [{role: 'user', content: 'Write a short thank-you note to a neighbour who watered my plants.'}],
    answers: [
      'Dear Maya,\n\nthank you for looking after the plants while we were away. The ferns have never looked better, and I suspect they will miss you.\n\nThere is a jar of plum jam at your door. Please knock when you need a hand with anything.\n\nWarmly,\nJonas',
      'Hi! Thank you so much for watering my plants! I really appreciate it! You are the best neighbor ever! Thanks again!',
    ],
  },
  {
    prompt: [{role: 'user', content: 'كيف أحضّر الشاي بالنعناع؟'}],
    answers: [
      'اغسل أوراق النعناع جيدًا، ثم ضع ملعقة صغيرة من الشاي الأخضر في الإبريق وصبّ فوقها ماءً مغليًا. اتركه ثلاث دقائق، وأضف النعناع والسكر حسب الذوق.',
      'Boil water‮, add mint.',
    ],
  },
  {
    prompt: [{role: 'user', content: 'Explain the difference between a list and a tuple.\n\n<script>alert(1)</script> <img src=x onerror=alert(2)>'}],
    answers: [
      'A **list** can change after it was made, a **tuple** cannot.\n\n| | list | tuple |\n|---|---|---|\n| written | `[1, 2]` | `(1, 2)` |\n| can change | yes | no |\n| can be a dict key | no | yes |\n\n> Use a tuple for things that belong together, a list for things of one kind.\n\n[more](https://example.org/tuple) [bad](javascript:alert(1)) ![pixel](https://example.org/p.png)',
      'Lists use square brackets, tuples use round ones. <b onclick="alert(1)">Bold?</b>',
    ],
  },
];

/** A few of the methods, in the shape of the real list. */
function methods(): Json[] {
  const number = (preset: number | null, minimum: number, maximum: number, description: string) => ({type: preset === null ? ['number', 'null'] : 'number', minimum, maximum, default: preset, description});
  const common = {
    learning_rate: {...number(1e-6, 1e-12, 1, 'the highest of the schedule'), 'x-default-with-adapter': 1e-5},
    batch_size: {type: 'integer', minimum: 1, maximum: 65_536, default: 64, description: 'pairs an optimizer step'},
    epochs: {type: 'integer', minimum: 1, maximum: 1000, default: 1, description: 'times through the training rows'},
    max_steps: {type: ['integer', 'null'], minimum: 1, maximum: 1e7, default: null, description: 'optimizer steps, instead of epochs'},
    schedule: {type: 'string', enum: ['constant', 'linear', 'cosine'], default: 'cosine', description: 'how the rate falls after the warm-up'},
    warmup_ratio: number(0.1, 0, 1, 'share of all steps in which the rate rises'),
    max_tokens: {type: 'integer', minimum: 2, maximum: 1_048_576, default: 1024, description: 'prompt and answer together'},
    activation_checkpointing: {type: 'boolean', default: false, description: 'keep each block’s input alone and compute the rest again'},
  };
  const method = (name: string, family: string, what: string, formula: string, more: Json) => ({name, family, what, formula, hyperparameters: {properties: {...common, ...more}}});
  return [
    method('dpo.sigmoid.sum', 'preference', 'direct preference optimization', '-log sigma(z), z = beta * (h_c - h_r); mean over the step’s pairs', {beta: number(0.1, 1e-6, 100, 'strength of the pull towards the reference')}),
    method('rm.sigmoid', 'reward', 'a reward model (Bradley-Terry)', '-log sigma(z); z = s(x, chosen) - s(x, rejected)', {center_coefficient: number(0, 0, 100, 'adds it times the mean of (s_a + s_b)^2')}),
    method('grpo_token', 'policy', 'group relative policy optimization, by token', '-min(rho A, clamp(rho, 1 - clip_low, 1 + clip_high) A)', {
      group_size: {type: 'integer', minimum: 1, maximum: 1024, default: 8, description: 'answers drawn for a prompt'}, kl_coefficient: number(0, 0, 100, 'its weight'), no_end_score: number(null, -1e6, 1e6, 'a reward model’s score of an answer without an end')}),
    method('distill.jsd', 'distillation', 'generalised distillation', 'mix KL(q || m) + (1 - mix) KL(pi || m)', {mix: number(0.5, 0.001, 0.999, 'the teacher’s share of the mean')}),
  ];
}

interface State {
  signedIn: boolean;
  projects: Json[];
  prompts: Json[];
  critics: Json[];
  snapshots: Json[];
  runs: Json[];
  jobs: Json[];
  people: Json[];
  invitations: Json[];
  tokens: Json[];
  models: Json[];
  queue: Json[];
  judgments: Json[];
  events: Map<string, Json[]>;
}

const user = {id: randomUUID(), name: 'Ada Example', email: 'ada@example.org', instance_admin: true};
const team = {id: randomUUID(), slug: 'kitchen', name: 'Kitchen', role: 'admin'};

function fresh(): State {
  const project = {
    id: '0190a000-0000-7000-8000-000000000001', slug: 'house-style', name: 'House style',
    guideline: '# What we want\n\nPrefer the answer that **helps sooner**:\n\n- plain words, no filler\n- steps when there is something to do\n- it admits what it does not know\n\nLength alone is no merit.',
    guideline_version: 2, settings: {overlap: 1, held_out_share: 0.2, lease_minutes: 15},
    counts: {prompts: 320, held_out_prompts: 80, responses: 640, comparisons: 312, open: 200, judgments: 424, judgments_by_kind: {person: 112, rule: 312}},
    created_at: '2025-05-01T09:00:00Z',
  };
  const state: State = {
    signedIn: false, projects: [project], prompts: [], critics: [], snapshots: [], runs: [], jobs: [], invitations: [], models: [],
    tokens: [], judgments: [], events: new Map(), queue: [],
    people: [{...user, role: 'admin', active: true, last_seen_at: now()}, {id: randomUUID(), name: 'Ben <b>Example</b>', email: 'ben@example.org', role: 'annotator', active: true, last_seen_at: null}],
  };
  for (let i = 0; i < 60; ++i) state.queue.push(item(i));
  state.critics.push({id: randomUUID(), name: 'short-and-plain', version: 1, spec: {rules: [{type: 'max_words', value: 60}, {type: 'not_contains', text: 'I hope this helps', ignore_case: true}], delta: 0.001}, spec_sha256: hash(), created_at: now()});
  state.snapshots.push({id: randomUUID(), number: 1, name: null, root: hash(), artifact_sha256: hash(), rows: {train: 240, held_out: 60, ties: 9, both_bad: 3, total: 312}, judges: {person: 112, rule: 312}, statistics: {agreement: {alpha: 0.713, items: 96, judges: 2}, mean_strength: 1.84, slot0_share: 0.493}, aggregation: {}, created_at: now()});
  state.runs.push(run(state, 'succeeded', 120));
  state.models.push({name: 'house-style', task: 'policy', latest_version: 1, versions: [{id: randomUUID(), version: 1}], created_at: now()}, {name: 'house-style-reward', task: 'reward', latest_version: 1, versions: [{id: randomUUID(), version: 1}], created_at: now()});
  return state;
}

function item(i: number): Json {
  const source = TEXTS[i % TEXTS.length]!;
  const flip = i % 2;
  const side = (n: number) => [{role: 'assistant', content: source.answers[n ^ flip]!}];
  return {assignment: randomUUID(), impression: randomUUID(), lease_until: new Date(Date.now() + 900_000).toISOString(),
    prompt: source.prompt, left: side(0), right: side(1), answer: null};
}

function run(state: State, end: string, steps: number): Json {
  const id = randomUUID();
  const made: Json = {
    id, project: state.projects[0]!.id, model: 'house-style', state: end, method: 'dpo.sigmoid.sum', base: {id: randomUUID(), name: 'smollm2-135m-instruct'},
    snapshot: {id: state.snapshots[0]!.id, number: 1, root: state.snapshots[0]!.root}, adapter: {type: 'lora', rank: 16, alpha: 32, targets: ['q_proj', 'v_proj']},
    hyperparameters: {learning_rate: 5e-5, batch_size: 8, epochs: 4, beta: 0.1, schedule: 'cosine', warmup_ratio: 0.1, max_tokens: 1024, max_grad_norm: 1},
    seed: 7, progress: null, waiting: null, metrics: {}, attempts: [{epoch: 1, worker: 'bench-1', started_at: now(), ended_at: end === 'running' ? null : now(), outcome: end === 'running' ? null : end, blame: null, last_step: steps}],
    error: null, result: null, created_at: now(), started_at: now(), finished_at: end === 'running' ? null : now(), created_by: user.name,
  };
  if (end === 'succeeded') made.result = {model: 'house-style', version: 1, evaluation: evaluation()};
  state.events.set(id, []);
  for (let step = 1; step <= steps; ++step) metrics(state, made, step, 120);
  return made;
}

const evaluation = () => ({win_rate: {win_rate: 0.7315, low: 0.6512, high: 0.8047, wins: 56, ties: 5, losses: 19, prompts: 80, mean_tokens: 44.2, base_mean_tokens: 131.7, kl_seq: 6.13, kl_token: 0.139}});

function metrics(state: State, made: Json, step: number, total: number): void {
  const events = state.events.get(made.id)!;
  const wave = (n: number) => Math.sin(step * n) * Math.cos(step * 1.7 * n);
  const done = step / total;
  const values = {
    loss: 0.693 - 0.42 * (1 - Math.exp(-3 * done)) + 0.05 * wave(2.3), 'pref/margin': 1.6 * done + 0.15 * wave(1.1),
    'pref/accuracy': Math.min(1, 0.5 + 0.42 * (1 - Math.exp(-4 * done)) + 0.06 * wave(3.1)),
    'opt/lr': 5e-5 * Math.min(1, done * 10) * (0.5 + 0.5 * Math.cos(Math.PI * done)), 'perf/tokens_per_s': 1450 + 60 * wave(0.7), 'opt/grad_norm': 1.2 + 0.4 * wave(1.9),
  };
  events.push({seq: events.length + 1, type: 'metrics', at: now(), level: 'info', message: null, data: {step, total_steps: total, eta_s: (total - step) * 2, values}});
  made.metrics = values;
  made.progress = {stage: 'train', done: step, total, step, total_steps: total, eta_s: (total - step) * 2};
}

export function mockApi() {
  const state = fresh();
  const held = new Map<string, Json>();

  const routes: [string, RegExp, (m: RegExpMatchArray, body: Json, request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => [number, unknown] | undefined][] = [
    ['POST', /^\/session$/, (_m, body) => {
      if (body.password === 'wrong') return [401, {title: 'Not logged in', detail: 'E-mail or password is wrong.', error: {code: 'unauthenticated'}}];
      state.signedIn = true;
      return [200, sessionInfo()];
    }],
    ['GET', /^\/session$/, () => (state.signedIn ? [200, sessionInfo()] : [401, {title: 'Not logged in', detail: 'Log in first.'}])],
    ['DELETE', /^\/sessions?$/, () => ((state.signedIn = false), [204, null])],
    ['POST', /^\/(invitations\/accept|password\/reset)$/, (_m, body) => {
      if (body.token === 'expired') return [404, {title: 'Not found', detail: 'This link was used already or has ended.'}];
      state.signedIn = true;
      return [200, sessionInfo()];
    }],
    ['PUT', /^\/password$/, () => [204, null]],
    ['GET', /^\/users$/, () => [200, list(state.people)]],
    ['PATCH', /^\/users\/(.+)$/, (m, body) => [200, Object.assign(state.people.find((p) => p.id === m[1])!, body)]],
    ['POST', /^\/users\/(.+)\/(deactivate|activate|reset)$/, (m) => {
      const person = state.people.find((p) => p.id === m[1])!;
      if (m[2] === 'reset') return [200, {link: `http://127.0.0.1/#/reset/${hash()}`, expires_at: now()}];
      person.active = m[2] === 'activate';
      return [200, person];
    }],
    ['GET', /^\/invitations$/, () => [200, list(state.invitations)]],
    ['POST', /^\/invitations$/, (_m, body) => {
      const made = {id: randomUUID(), ...body, expires_at: new Date(Date.now() + 6e8).toISOString()};
      state.invitations.push(made);
      return [201, {...made, link: `http://127.0.0.1/#/join/${hash()}`}];
    }],
    ['DELETE', /^\/(invitations|tokens)\/(.+)$/, (m) => {
      const all = m[1] === 'tokens' ? state.tokens : state.invitations;
      all.splice(all.findIndex((i) => i.id === m[2]), 1);
      return [204, null];
    }],
    ['GET', /^\/tokens$/, () => [200, list(state.tokens)]],
    ['POST', /^\/tokens$/, (_m, body) => {
      const made = {id: randomUUID(), name: body.name, role: body.role, expires_at: new Date(Date.now() + 7.8e9).toISOString(), last_used_at: null};
      state.tokens.push(made);
      return [201, {...made, token: `hone_pat_${hash().slice(0, 36)}`}];
    }],
    ['GET', /^\/projects$/, () => [200, list(state.projects)]],
    ['POST', /^\/projects$/, (_m, body) => {
      const made = {...structuredClone(state.projects[0]!), ...body, id: randomUUID(), counts: {prompts: 0, held_out_prompts: 0, responses: 0, comparisons: 0, open: 0, judgments: 0, judgments_by_kind: {}}};
      state.projects.push(made);
      return [201, made];
    }],
    ['GET', /^\/projects\/([^/]+)$/, (m) => [200, project(m[1]!)]],
    ['PATCH', /^\/projects\/([^/]+)$/, (m, body) => [200, Object.assign(project(m[1]!), body)]],
    ['GET', /^\/projects\/([^/]+)\/progress$/, (m) => {
      const c = project(m[1]!).counts;
      return [200, {open: c.open, done: c.comparisons - c.open, total: c.comparisons, mine_today: state.judgments.length, mine_total: state.judgments.length, per_hour: 96, eta_s: c.open * 37}];
    }],
    ['GET', /^\/projects\/([^/]+)\/(critics|snapshots)$/, (m) => [200, list(m[1] === state.projects[0]!.id ? state[m[2] as 'critics'] : [])]],
    ['POST', /^\/projects\/([^/]+)\/critics$/, (_m, body) => {
      const made = {id: randomUUID(), ...body, version: 1 + state.critics.filter((c) => c.name === body.name).length, spec_sha256: hash(), created_at: now()};
      state.critics.push(made);
      return [201, made];
    }],
    ['POST', /^\/projects\/([^/]+)\/snapshots$/, () => {
      const made = {...structuredClone(state.snapshots[0]!), id: randomUUID(), number: state.snapshots.length + 1, root: hash(), created_at: now()};
      state.snapshots.push(made);
      return [201, made];
    }],
    ['POST', /^\/projects\/([^/]+)\/imports$/, (_m, body) => {
      if (String(body.text).includes('bad')) return [422, {title: 'Invalid', detail: '2 of 3 lines cannot be read. Nothing was imported.', errors: [{line: 1, pointer: '/prompt', detail: 'want text or a list of messages'}, {line: 3, detail: 'not JSON: unexpected end'}]}];
      const n = String(body.text).trim().split('\n').length;
      return [201, {id: randomUUID(), format: 'prompts', lines: n, rows: n, added: {prompts: n, responses: 0, comparisons: 0, judgments: 0}, duplicates: 0, refused: 0, warnings: [], errors: []}];
    }],
    ['POST', /^\/projects\/([^/]+)\/(samples|judge)$/, (m) => [202, startJob(m[2] === 'judge' ? 'judge' : 'sample')]],
    ['GET', /^\/bases$/, () => [200, list([{id: randomUUID(), name: 'smollm2-135m-instruct', description: 'SmolLM2 135M Instruct, GGUF Q4_1', sha256: hash(), bytes: 98_000_000, architecture: 'llama', created_at: now()}])]],
    ['POST', /^\/projects\/([^/]+)\/queue\/next$/, (_m, body) => {
      while (held.size < Math.min(3, body.n) && state.queue.length) {
        const next = state.queue.shift()!;
        held.set(next.assignment, next);
      }
      return [200, {items: [...held.values()].slice(0, body.n), reason: held.size ? null : 'none_left', retry_after: null}];
    }],
    ['POST', /^\/assignments\/renew$/, () => [200, {lease_until: new Date(Date.now() + 900_000).toISOString()}]],
    ['POST', /^\/assignments\/([^/]+)\/release$/, (m) => {
      const back = held.get(m[1]!);
      if (back) state.queue.unshift(back);
      held.delete(m[1]!);
      return [204, null];
    }],
    ['POST', /^\/assignments\/([^/]+)\/judgments$/, (m, body, request) => {
      const key = String(request.headers['idempotency-key']);
      const again = state.judgments.find((j) => j.key === key);
      if (again) return [200, {id: again.id, seq: 1}];
      const answered = held.get(m[1]!);
      if (!answered) return [404, {title: 'Not found', detail: 'This comparison is not yours.'}];
      held.delete(m[1]!);
      const made = {id: randomUUID(), key, assignment: m[1], item: answered, ...body, created_at: now(), retracted: false};
      state.judgments.push(made);
      const c = state.projects[0]!.counts;
      --c.open;
      ++c.judgments;
      ++c.judgments_by_kind.person;
      return [201, {id: made.id, seq: 1}];
    }],
    ['POST', /^\/judgments\/([^/]+)\/retract$/, (m) => {
      const judgment = state.judgments.find((j) => j.id === m[1])!;
      judgment.retracted = true;
      ++state.projects[0]!.counts.open;
      const reopened = {...judgment.item, answer: {verdict: judgment.verdict, strength: judgment.strength}};
      held.set(reopened.assignment, reopened);
      return [200, {item: reopened}];
    }],
    ['GET', /^\/me\/stats$/, () => [200, {today: state.judgments.length, total: state.judgments.length, median_s: 22.4}]],
    ['GET', /^\/me\/judgments$/, () => [200, list(state.judgments.slice(-20).reverse())]],
    ['GET', /^\/runs$/, (_m, _b, _r, _s, query) => [200, list(query.get('project') === state.projects[0]!.id ? state.runs : [])]],
    ['POST', /^\/runs$/, (_m, body) => {
      if (!(body.hyperparameters.learning_rate > 0)) return [422, {title: 'Invalid', detail: 'learning_rate must be over 0 and at most 1.', errors: [{pointer: '/hyperparameters/learning_rate', detail: 'over 0 to 1'}]}];
      const made = run(state, 'running', 0);
      Object.assign(made, {model: body.model, adapter: body.adapter, hyperparameters: body.hyperparameters});
      state.runs.push(made);
      let step = 0;
      const timer = setInterval(() => {
        if (made.state !== 'running') return clearInterval(timer);
        metrics(state, made, ++step, 120);
        if (step < 120) return;
        clearInterval(timer);
        made.state = 'succeeded';
        made.finished_at = now();
        made.result = {model: made.model, version: 1, evaluation: evaluation()};
        state.events.get(made.id)!.push({seq: 1 + state.events.get(made.id)!.length, type: 'state', at: now(), message: 'published', data: {}});
      }, 400);
      return [201, made];
    }],
    ['GET', /^\/runs\/([^/]+)$/, (m) => [200, state.runs.find((r) => r.id === m[1])]],
    ['GET', /^\/jobs$/, () => [200, list(state.jobs)]],
    ['GET', /^\/jobs\/([^/]+)$/, (m) => [200, state.jobs.find((r) => r.id === m[1])]],
    ['POST', /^\/(runs|jobs)\/([^/]+)\/cancel$/, (m) => [200, Object.assign(state[m[1] as 'runs'].find((r) => r.id === m[2])!, {state: 'cancelled', finished_at: now()})]],
    ['GET', /^\/(runs|jobs)\/([^/]+)\/events$/, (m, _b, request, response, query) => {
      const of = state[m[1] as 'runs'].find((r) => r.id === m[2])!;
      let seq = Number(request.headers['last-event-id'] ?? query.get('after_seq') ?? 0);
      response.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store'});
      const push = () => {
        for (const event of state.events.get(of.id)!.filter((e) => e.seq > seq)) {
          response.write(`id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
          seq = event.seq;
        }
        if (of.state === 'running') return;
        response.end('event: end\ndata: {}\n\n');
        clearInterval(timer);
      };
      const timer = setInterval(push, 300);
      response.on('close', () => clearInterval(timer));
      response.flushHeaders();
      push();
      return undefined;
    }],
    ['GET', /^\/methods$/, () => [200, list(methods())]],
    ['GET', /^\/models$/, () => [200, list(state.models)]],
    ['GET', /^\/models\/([^/]+)$/, (m) => [200, state.models.find((x) => x.name === m[1])]],
    ['GET', /^\/models\/([^/]+)\/versions\/(\d+)$/, (m) => [200, {
      model: m[1], task: state.models.find((x) => x.name === m[1])!.task, version: Number(m[2]), state: 'published', run: state.runs[0]!.id, base: state.runs[0]!.base, snapshot: state.runs[0]!.snapshot, spec: {method: 'dpo.sigmoid.sum', seed: 7},
      code_revision: hash().slice(0, 40), metrics: {}, evaluation: evaluation(), created_at: now(),
      files: [['hf/config.json', 812], ['hf/model.safetensors', 538_090_408], ['hf/tokenizer.json', 2_104_556], ['adapter/adapter_config.json', 640], ['adapter/adapter_model.safetensors', 9_788_120], ['hone/manifest.json', 5_120]].map(([path, size]) => ({path, bytes: size, sha256: hash()})),
    }]],
  ];

  const sessionInfo = () => ({user, team, teams: [team], csrf: 'mock'});
  const project = (id: string) => state.projects.find((p) => p.id === id)!;
  function startJob(kind: string): Json {
    const job: Json = {id: randomUUID(), kind, project: state.projects[0]!.id, state: 'running', progress: {stage: kind, done: 0, total: 320, eta_s: 30}, waiting: null, error: null, result: null, created_at: now(), started_at: now(), finished_at: null};
    state.jobs.unshift(job);
    state.events.set(job.id, []);
    let done = 0;
    const timer = setInterval(() => {
      done += 20;
      job.progress = {stage: kind, done, total: 320, eta_s: (320 - done) / 20};
      const events = state.events.get(job.id)!;
      events.push({seq: events.length + 1, type: 'progress', at: now(), data: job.progress});
      if (done < 320 && job.state === 'running') return;
      clearInterval(timer);
      if (job.state === 'running') Object.assign(job, {state: 'succeeded', finished_at: now(), result: {responses: 640, comparisons: 312}});
    }, 500);
    return job;
  }

  return (request: IncomingMessage, response: ServerResponse, next: Next) => {
    const address = new URL(request.url ?? '/', 'http://mock');
    if (!address.pathname.startsWith('/api/v1')) return next();
    const path = address.pathname.slice('/api/v1'.length);
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      let body: Json = {text};
      if (/^application\/json(;|$)/.test(String(request.headers['content-type'])) && text) body = JSON.parse(text);
      const open = /^\/(session|invitations\/accept|password\/reset)$/.test(path);
      let reply: [number, unknown] | undefined = [404, {title: 'Not found', detail: 'There is no such thing here.'}];
      if (!state.signedIn && !open) reply = [401, {title: 'Not logged in', detail: 'Log in first.'}];
      else
        for (const [method, pattern, act] of routes) {
          const match = request.method === method && path.match(pattern);
          if (!match) continue;
          reply = act(match, body, request, response, address.searchParams);
          if (reply && reply[1] === undefined) reply = [404, {title: 'Not found', detail: 'There is no such thing here.'}];
          break;
        }
      if (!reply) return;
      response.statusCode = reply[0];
      response.setHeader('Content-Type', reply[0] >= 400 ? 'application/problem+json' : 'application/json');
      response.setHeader('x-request-id', randomUUID());
      response.setHeader('Cache-Control', 'no-store');
      response.end(reply[0] === 204 ? undefined : JSON.stringify(reply[1]));
    });
  };
}
