// The owner's road: project, prompts, answers, critic; later snapshot, run, published version.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';

const JOB_MS = 240_000;
const RUN_MS = 480_000;

const QUESTIONS = ['How do I boil an egg?', 'Name a good soup.', 'Why is the sky blue?', 'How do I fold a shirt?', 'What is a haiku?', 'How do I thank a neighbour?',
  'What goes well with rice?', 'How do I calm a cat?', 'What is a good first plant?', 'How do I read faster?', 'Where do I put a lamp?', 'How do I make tea?'];
const PROMPTS = QUESTIONS.map((prompt, i) => JSON.stringify({prompt, split: i < 8 ? 'train' : 'held_out'}));

export const road = {
  before: [
    {
      name: 'a project is made, and a broken import names its lines and stores nothing',
      needs: {state: ['account']},
      async run(state) {
        const {browser} = state;
        const page = await browser.page('#/');
        await page.getByRole('button', {name: 'New project'}).click();
        await page.getByLabel('Name').fill('End to end');
        await page.getByLabel(/Guideline/).fill('# Prefer\n\nthe **shorter** answer.');
        await page.getByRole('button', {name: 'Create'}).click();
        await page.getByRole('heading', {name: 'End to end'}).waitFor();
        const project = page.url().split('/projects/')[1];

        await page.getByRole('button', {name: 'Import prompts or pairs'}).click();
        await page.getByLabel('or paste lines').fill(`${PROMPTS[0]}\n{"prompt": 7}\nnot json`);
        await page.getByRole('button', {name: 'Import', exact: true}).click();
        const alert = await page.getByRole('alert').innerText();
        assert.match(alert, /line 2/);
        assert.match(alert, /line 3/);
        assert.equal((await browser.api(page, 'GET', `/projects/${project}`)).counts.prompts, 0);

        await page.getByLabel('or paste lines').fill(PROMPTS.join('\n'));
        await page.getByRole('button', {name: 'Import', exact: true}).click();
        await page.getByText(/Added: 12 prompts/).waitFor();
        await browser.calm(page);
        await page.close();
        state.project = project;
      },
    },
    {
      name: 'answers are drawn from the base, with progress in view',
      needs: {state: ['project']},
      async run(state) {
        const {browser, project} = state;
        const page = await browser.page(`#/projects/${project}`);
        await page.getByRole('button', {name: 'Draw answers from a base'}).click();
        await page.getByLabel('Longest answer (tokens)').fill('24');
        await page.locator('#sample-split').selectOption('all');
        await page.getByLabel('Seed').fill('7');
        await page.getByText('More ways to draw').click();
        await page.getByLabel('Top-k').fill('50');
        await page.getByLabel('Repetition penalty').fill('1.1');
        await page.getByRole('button', {name: 'Draw answers', exact: true}).click();
        await page.locator('.job', {hasText: 'Sampling'}).waitFor();
        await page.locator('.job', {hasText: 'Sampling'}).locator('.badge', {hasText: 'succeeded'}).waitFor({timeout: JOB_MS});
        const counts = (await browser.api(page, 'GET', `/projects/${project}`)).counts;
        assert.ok(counts.comparisons >= 8, `${counts.comparisons} comparisons`);
        await browser.calm(page);
        await page.close();
        state.comparisons = counts.comparisons;
      },
    },
  ],
  after: [
    {
      name: 'a rule critic judges what it has not judged, and a snapshot freezes all judgments',
      needs: {state: ['comparisons']},
      async run(state) {
        const {browser, project} = state;
        const page = await browser.page(`#/projects/${project}`);
        await page.getByRole('button', {name: 'New critic'}).click();
        await page.getByLabel('Name', {exact: true}).fill('short');
        await page.getByLabel('Bound of rule 1').fill('6');
        await page.getByRole('button', {name: 'JSON'}).click();
        assert.deepEqual(JSON.parse(await page.getByLabel('Rules as JSON').inputValue()).rules, [{type: 'max_words', value: 6}]);
        await page.getByRole('button', {name: 'Save critic'}).click();
        await page.getByRole('button', {name: 'Judge all'}).click();
        await page.locator('.job', {hasText: 'Critic'}).locator('.badge', {hasText: 'succeeded'}).waitFor({timeout: JOB_MS});
        await page.getByRole('button', {name: 'Freeze a snapshot'}).click();
        await page.getByRole('group', {name: 'Snapshots'}).getByRole('row').nth(1).getByRole('cell', {name: '1', exact: true}).first().waitFor();
        const snapshot = (await browser.api(page, 'GET', `/projects/${project}/snapshots`)).data[0];
        assert.match(snapshot.root, /^[0-9a-f]{64}$/);
        assert.ok(snapshot.judges.person >= 5 && snapshot.judges.rule > 0, JSON.stringify(snapshot.judges));
        await browser.calm(page);
        await page.close();
        state.snapshot = snapshot.id;
      },
    },
    {
      name: 'an impossible setting is refused in the server’s words, naming it',
      needs: {state: ['snapshot']},
      async run({browser, project}) {
        const page = await browser.page(`#/projects/${project}`);
        await page.getByRole('button', {name: 'Start a run'}).click();
        await page.getByLabel('Learning rate').fill('7');
        await page.getByRole('button', {name: 'Start run'}).click();
        assert.match(await page.getByRole('alert').innerText(), /learning_rate/);
        await browser.calm(page);
        await page.close();
      },
    },
    {
      name: 'a run is started, its curve moves while it is watched, and it publishes',
      needs: {state: ['snapshot']},
      async run(state) {
        const {browser, project} = state;
        const page = await browser.page(`#/projects/${project}`);
        await page.getByRole('button', {name: 'Start a run'}).click();
        await page.getByLabel('Publishes to model').fill('end-to-end');
        await page.getByLabel('Rank').fill('4');
        await page.getByLabel('Learning rate').fill('0.0002');
        await page.getByLabel('Batch size').fill('2');
        await page.getByLabel('Epochs').fill('20');
        await page.getByLabel('Most steps').fill('8');
        await page.getByLabel('Longest text (tokens)').fill('128');
        await page.locator('#run-emax').fill('16');
        await page.getByRole('button', {name: 'Start run'}).click();
        await page.waitForURL(/#\/runs\//);
        state.run = page.url().split('/runs/')[1];

        const line = page.locator('hone-chart[label=Loss] path.line').last();
        await line.waitFor({timeout: RUN_MS, state: 'attached'});
        const first = await line.getAttribute('d');
        await page.waitForFunction((before) => document.querySelector('hone-chart[label=Loss] path.line')?.getAttribute('d') !== before, first, {timeout: RUN_MS});
        await page.getByText(/about .* left/).first().waitFor({timeout: 30_000}).catch(() => {});
        await browser.accessible(page, 'a run at work');
        await page.locator('h1 .badge', {hasText: 'succeeded'}).waitFor({timeout: RUN_MS});
        const steps = await page.locator('hone-chart[label=Loss] svg').getAttribute('aria-label');
        assert.match(steps, /at step 8/);
        await page.getByText('wins against the base').waitFor();
        await browser.calm(page);
        await page.close();
      },
    },
    {
      name: 'a run of two seeds shows them side by side, with mean and interval',
      needs: {state: ['snapshot']},
      async run(state) {
        const {browser, project} = state;
        const page = await browser.page(`#/projects/${project}`);
        await page.getByRole('button', {name: 'Start a run'}).click();
        await page.getByLabel('Publishes to model').fill('two-seeds');
        await page.getByLabel('Rank').fill('4');
        await page.getByLabel('Batch size').fill('2');
        await page.getByLabel('Most steps').fill('2');
        await page.getByLabel('Longest text (tokens)').fill('128');
        await page.getByLabel('Seed', {exact: true}).fill('11');
        await page.getByLabel('How many seeds').fill('2');
        await page.getByLabel('Judge of the win rate').selectOption('');
        await page.getByRole('button', {name: 'Start run'}).click();
        await page.waitForURL(/#\/runs\//);
        await page.locator('h1 .badge', {hasText: 'succeeded'}).waitFor({timeout: RUN_MS});
        const heads = page.getByRole('group', {name: 'Results by seed'}).first().getByRole('columnheader');
        assert.deepEqual(await heads.allInnerTexts(), ['Metric', 'Mean', '95 % interval', 'Seed 11', 'Seed 12']);
        const loss = page.getByRole('row', {name: /^Loss on held-out rows/});
        assert.match(await loss.first().innerText(), /0\.\d+.* to .*0\.\d+/s);
        // The newest seed's own steps, before the earlier one's line.
        assert.match(await page.locator('hone-chart[label=Loss] .chart-value').innerText(), /seed 12, step 2/);
        assert.equal(await page.locator('hone-chart[label=Loss] path.line').count(), 2);
        await browser.accessible(page, 'a run of two seeds');
        await browser.calm(page);
        await page.close();
      },
    },
    {
      name: 'questions that nobody judged are frozen alone, and learnt from by their exact answers',
      needs: {state: ['project']},
      async run({browser}) {
        const page = await browser.page('#/');
        const sums = (await browser.api(page, 'POST', '/projects', {name: 'Sums'})).id;
        await page.goto(page.url().split('#')[0] + `#/projects/${sums}`);
        await page.getByRole('button', {name: 'Import prompts or pairs'}).click();
        await page.getByLabel('or paste lines').fill(Array.from({length: 6}, (_, i) => JSON.stringify({prompt: `Say ${i}.`, answer: i, split: i < 4 ? 'train' : 'held_out'})).join('\n'));
        await page.getByRole('button', {name: 'Import', exact: true}).click();
        await page.getByText(/Added: 6 prompts/).waitFor();
        await page.getByRole('button', {name: 'Freeze the prompts alone'}).click();
        await page.getByRole('group', {name: 'Snapshots'}).getByRole('cell', {name: /1 prompts/}).waitFor();

        await page.getByRole('button', {name: 'Start a run'}).click();
        assert.equal(await page.getByLabel('Snapshot', {exact: true}).locator('option').count(), 0, 'a method of pairs is offered prompts');
        await page.getByText('freeze one of judgments first').waitFor();
        await page.getByLabel('Method').selectOption('grpo_token');
        assert.match(await page.getByLabel('Snapshot', {exact: true}).innerText(), /4 prompts/);
        await page.getByLabel('Drawn answers are scored by').selectOption('the prompt’s exact answer');
        await page.getByLabel('Rank').fill('4');
        await page.locator('#run-batch-size').fill('2');
        await page.locator('#run-group-size').fill('4');
        await page.locator('#run-max-new-tokens').fill('8');
        await page.locator('#run-max-steps').fill('1');
        await page.locator('#run-emax').fill('8');
        await page.getByRole('button', {name: 'Start run'}).click();
        await page.waitForURL(/#\/runs\//);
        await page.locator('h1 .badge', {hasText: 'succeeded'}).waitFor({timeout: RUN_MS});
        await page.getByText('exact answer').first().waitFor();
        await browser.calm(page);
        await page.close();
      },
    },
    {
      name: 'the checkpoint is downloaded, and its hash is the one the page shows',
      needs: {state: ['run']},
      async run(state) {
        const {browser, run} = state;
        const page = await browser.page(`#/runs/${run}`);
        await page.getByRole('link', {name: /Open version/}).click();
        await page.getByRole('heading', {name: /end-to-end version 1/}).waitFor();
        const row = page.getByRole('row', {name: /hf\/model\.safetensors/});
        const shown = await row.locator('code').innerText();
        const [download] = await Promise.all([page.waitForEvent('download', {timeout: 120_000}), page.getByRole('link', {name: /Whole model/}).click()]);
        const path = await download.path();
        const names = execFileSync('tar', ['-tf', path], {encoding: 'utf8'}).split('\n');
        const weights = names.find((name) => name.endsWith('model.safetensors'));
        assert.ok(weights && names.some((name) => name.endsWith('config.json')) && names.some((name) => name.endsWith('tokenizer.json')), names.join(' '));
        const bytes = execFileSync('tar', ['-xOf', path, weights], {maxBuffer: 2 ** 31 - 1});
        assert.equal(createHash('sha256').update(bytes).digest('hex'), shown);

        const [config] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', {name: 'hf/config.json'}).click()]);
        assert.equal(JSON.parse(readFileSync(await config.path(), 'utf8')).model_type, 'llama');
        await browser.calm(page);
        await page.close();
        state.model = 'end-to-end';
        return `${(bytes.length / 1e6).toFixed(0)} MB of weights`;
      },
    },
  ],
};
