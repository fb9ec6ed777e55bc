// The annotator's page: keys, undo, offline, a killed server, speed.
import assert from 'node:assert/strict';

const mine = async (browser, page, project) =>
  (await browser.api(page, 'GET', `/me/judgments?project=${project}&limit=100`)).data.filter((j) => !j.retracted && j.verdict !== 'retracted');

/** Answers by a key and waits until another comparison (or the end) is on the screen. */
async function answer(page, key) {
  await page.waitForFunction(() => document.querySelector('hone-comparison')?.item && !document.querySelector('hone-page-label').busy);
  const before = await shownNow(page);
  await page.keyboard.press(key);
  await page.waitForFunction((impression) => document.querySelector('hone-comparison')?.item?.impression !== impression, before);
  return before;
}
const shownNow = (page) => page.evaluate(() => document.querySelector('hone-comparison')?.item?.impression ?? null);

/** Resolves when the server has `n` of this person's answers. */
async function arrived(browser, page, project, n) {
  for (let i = 0; i < 150; ++i) {
    const own = await mine(browser, page, project);
    if (own.length === n) return own;
    assert.ok(own.length < n, `${own.length} answers on the server, ${n} given`);
    await page.waitForTimeout(100);
  }
  throw new Error(`the server has ${(await mine(browser, page, project)).length} of ${n} answers`);
}

export const labelling = [
  {
    name: 'five comparisons are judged by keyboard alone, and stored as they were pressed',
    needs: {state: ['comparisons']},
    async run(state) {
      const {browser, project} = state;
      const page = await browser.page(`#/projects/${project}/label`);
      await page.locator('hone-comparison').waitFor();
      await page.keyboard.press('g');
      await page.getByRole('complementary', {name: 'Guideline'}).getByText('shorter').waitFor();
      await page.keyboard.press('Escape');
      await page.keyboard.press('r');
      await page.locator('.md.raw').first().waitFor();
      await page.keyboard.press('r');
      for (const key of ['1', 'ArrowRight', '4', 'x', '7']) await answer(page, key);
      const own = await arrived(browser, page, project, 5);
      const given = own.sort((a, b) => a.created_at.localeCompare(b.created_at)).map((j) => [j.verdict, j.strength]);
      assert.deepEqual(given, [['prefer', 3], ['prefer', -2], ['tie', 0], ['both_bad', null], ['prefer', -3]]);
      await browser.calm(page);
      await page.close();
    },
  },
  {
    name: 'the last answer is undone and given anew; a held key answers once',
    needs: {state: ['comparisons']},
    async run(state) {
      const {browser, project} = state;
      const page = await browser.page(`#/projects/${project}/label`);
      await page.locator('hone-comparison').waitFor();
      const other = await shownNow(page);
      await page.keyboard.press('z');
      await page.waitForFunction((shown) => document.querySelector('hone-comparison')?.item?.impression !== shown, other);
      await page.locator('.step[aria-pressed=true][aria-keyshortcuts="7"]').waitFor();
      await page.keyboard.down('2');
      for (let i = 0; i < 8; ++i) await page.keyboard.down('2'); // repeats, as a held key sends them
      await page.keyboard.up('2');
      await page.waitForFunction((shown) => document.querySelector('hone-comparison')?.item?.impression === shown, other);
      const own = await arrived(browser, page, project, 5);
      assert.equal(own.sort((a, b) => b.created_at.localeCompare(a.created_at))[0].strength, 2);
      await browser.calm(page);
      await page.close();
    },
  },
  {
    name: 'keys typed into a field or a dialog answer nothing',
    needs: {state: ['comparisons']},
    async run(state) {
      const {browser, project} = state;
      const page = await browser.page(`#/projects/${project}/label`);
      await page.locator('hone-comparison').waitFor();
      const shown = await shownNow(page);
      await page.keyboard.press('?');
      await page.getByRole('dialog', {name: 'Keys'}).waitFor();
      await page.keyboard.press('1');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog', {name: 'Keys'}).waitFor({state: 'hidden'}); // the browser closes it, in its own time
      await page.keyboard.press('Control+1');
      await page.keyboard.press('s');
      await page.getByRole('group', {name: 'Why skip?'}).waitFor();
      await page.keyboard.press('Escape');
      await page.waitForTimeout(300);
      assert.equal(await shownNow(page), shown);
      assert.equal((await mine(browser, page, project)).length, 5);
      await browser.calm(page);
      await page.close();
    },
  },
  {
    name: 'answers given offline wait, outlive the closed page, and arrive once each',
    needs: {state: ['comparisons']},
    async run(state) {
      const {browser, project} = state;
      let page = await browser.page(`#/projects/${project}/label`);
      await page.locator('hone-comparison').waitFor();
      await page.waitForFunction(() => document.querySelector('hone-page-label')?.work?.held?.length === 3);
      await browser.context.setOffline(true);
      await answer(page, '3');
      await answer(page, '5');
      await page.getByText('2 answers waiting to send').waitFor();
      await page.close();
      await browser.context.setOffline(false);

      page = await browser.page('#/');
      await arrived(browser, page, project, 7);
      await page.waitForTimeout(1500);
      assert.equal((await mine(browser, page, project)).length, 7, 'nothing arrives twice');
      await browser.calm(page);
      await page.close();
    },
  },
  {
    name: 'a server killed while people judge costs a delay and no answer',
    needs: {state: ['comparisons']},
    async run(state) {
      const {browser, world, project} = state;
      if (!world.owned) return 'skipped the kill: the server is not ours';
      const page = await browser.page(`#/projects/${project}/label`);
      await page.locator('hone-comparison').waitFor();
      await page.waitForFunction(() => document.querySelector('hone-page-label')?.work?.held?.length >= 2);
      await world.endProgram('hone-server', 'SIGKILL');
      await answer(page, '6');
      await page.getByText('1 answer waiting to send').waitFor();
      world.startProgram('hone-server');
      await world.ready();
      await arrived(browser, page, project, 8);
      await page.getByText('waiting to send').waitFor({state: 'detached'});
      browser.trouble = [];
      await page.close();
    },
  },
  {
    name: 'the next comparison is there within 250 ms of the key',
    needs: {state: ['comparisons']},
    async run(state) {
      const {browser} = state;
      // A project of its own with many comparisons; the drawn answers are made longer on their way.
      const page = await browser.page('#/');
      const project = (await browser.api(page, 'POST', '/projects', {name: 'Speed'})).id;
      const long = 'A sentence with `code` and **weight**. '.repeat(40);
      await browser.api(page, 'POST', `/projects/${project}/imports`, Array.from({length: 12}, (_, i) => JSON.stringify({prompt: `Name ${i + 2} things that are round.`})).join('\n'));
      await browser.sample(page, project, 3, 5);
      await page.route('**/queue/next', async (route) => {
        const reply = await route.fetch();
        const body = await reply.json();
        for (const item of body.items ?? []) for (const message of [...item.left, ...item.right]) message.content = `${item.impression} ${message.content} ${long}`;
        await route.fulfill({response: reply, json: body});
      });
      await browser.go(page, `#/projects/${project}/label`);
      await page.locator('hone-comparison').waitFor();
      await page.waitForFunction(() => document.querySelector('hone-page-label')?.work?.held?.length === 3);
      const times = [];
      for (let i = 0; i < 20; ++i) {
        times.push(await page.evaluate(() => new Promise((resolve) => {
          const shown = document.querySelector('hone-comparison').item.impression;
          const start = performance.now();
          const look = () => document.querySelector('hone-comparison')?.item?.impression !== shown && document.querySelector('#answer-left .md')?.textContent ? resolve(performance.now() - start) : requestAnimationFrame(look);
          window.dispatchEvent(new KeyboardEvent('keydown', {key: '4', bubbles: true}));
          requestAnimationFrame(look);
        })));
        await page.waitForFunction(() => (document.querySelector('hone-page-label')?.work?.held?.length ?? 0) >= 2);
        await page.waitForTimeout(60);
      }
      times.sort((a, b) => a - b);
      const p95 = times[Math.floor(times.length * 0.95) - 1];
      assert.ok(p95 <= 250, `median ${times[10].toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`);
      await browser.calm(page);
      await page.close();
      return `median ${times[10].toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`;
    },
  },
];
