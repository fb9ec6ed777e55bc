// Accessibility on every page and state, light and dark, wide and at 320 px; what works by keyboard.
import assert from 'node:assert/strict';

async function states(browser, page, state, visit) {
  const {project, run, model} = state;
  const at = async (address, name) => {
    await browser.go(page, address);
    await visit(name);
  };
  await at('#/', 'projects');
  await page.getByRole('button', {name: 'New project'}).click();
  await visit('new project');
  await at(`#/projects/${project}`, 'project');
  for (const name of ['Guideline and settings', 'Import prompts or pairs', 'Draw answers from a base', 'New critic', 'Start a run']) {
    const button = page.getByRole('button', {name, exact: true});
    if (!(await button.count())) continue;
    await button.click();
    await visit(name.toLowerCase());
  }
  if (run) await at(`#/runs/${run}`, 'run');
  await at('#/models', 'models');
  if (model) await at(`#/models/${model}/1`, 'model');
  await at('#/team', 'team');
  await at('#/account', 'account');
  await at('#/nowhere', 'no such page');
  await at('#/join/some-token', 'join');
  await at('#/reset/some-token', 'reset');
  await browser.go(page, `#/projects/${project}/label`);
  await page.locator('hone-comparison, .empty h2').first().waitFor();
  await visit('labelling');
  await page.keyboard.press('g');
  await visit('labelling, guideline');
  await page.keyboard.press('Escape');
  await page.keyboard.press('s');
  await visit('labelling, skip');
  await page.keyboard.press('Escape');
  await page.keyboard.press('r');
  await visit('labelling, raw');
  await page.keyboard.press('r');
  await page.keyboard.press('?');
  await visit('labelling, keys');
  await page.keyboard.press('Escape');
}

/** Runs in the page: the innermost elements that reach beyond its width, for the message of a failure. */
function widest() {
  const beyond = [...document.querySelectorAll('main *, header *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1);
  return beyond.filter((e) => !beyond.some((other) => other !== e && e.contains(other))).slice(0, 5)
    .map((e) => `<${e.localName} class="${e.getAttribute('class') ?? ''}"> “${(e.textContent ?? '').trim().slice(0, 40)}”`).join('; ');
}

const sweep = (name, prepare, visit) => ({
  name,
  needs: {state: ['project']},
  async run(state) {
    const {browser} = state;
    const page = await browser.page('#/');
    let n = 0;
    try {
      await prepare(page);
      await states(browser, page, state, async (where) => {
        await page.waitForTimeout(150);
        await visit(browser, page, where);
        ++n;
      });
      await browser.calm(page);
    } finally {
      await page.close();
    }
    return `${n} pages and states`;
  },
});

export const access = [
  sweep('axe finds nothing serious on any page or state, in light colours', (page) => page.emulateMedia({colorScheme: 'light'}), (browser, page, where) => browser.accessible(page, where)),
  sweep('axe finds nothing serious on any page or state, in dark colours', (page) => page.emulateMedia({colorScheme: 'dark'}), (browser, page, where) => browser.accessible(page, `dark ${where}`)),
  sweep('at 320 px nothing needs sideways scrolling, and axe finds nothing serious', (page) => page.setViewportSize({width: 320, height: 640}), async (browser, page, where) => {
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
    if (wide > 320) assert.fail(`${where} is ${wide} px wide: ${await page.evaluate(widest)}`);
    await browser.accessible(page, `narrow ${where}`);
  }),
  {
    name: 'every control of a page is reached by Tab, and the focus is always visible',
    needs: {state: ['project']},
    async run({browser, project}) {
      const page = await browser.page('#/');
      for (const address of ['#/', `#/projects/${project}`, '#/account', `#/projects/${project}/label`]) {
        await browser.go(page, address);
        await page.waitForTimeout(300);
        const wanted = await page.evaluate(() => [...document.querySelectorAll('a[href], button, input, select, textarea')].filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0 && !e.closest('.visually-hidden')).length);
        const seen = new Set();
        for (let i = 0; i < wanted + 40; ++i) {
          await page.keyboard.press('Tab');
          const at = await page.evaluate(() => {
            const e = document.activeElement;
            if (!e || e === document.body) return null;
            const style = getComputedStyle(e);
            const box = e.getBoundingClientRect();
            window.__marks ??= new Map();
            if (!window.__marks.has(e)) window.__marks.set(e, window.__marks.size);
            const control = e.matches('a[href], button, input, select, textarea');
            return {mark: window.__marks.get(e), control, what: e.outerHTML.slice(0, 80), ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, onScreen: box.bottom > 0 && box.top < innerHeight};
          });
          if (!at) continue;
          assert.ok(at.ring, `no focus ring on ${at.what}`);
          assert.ok(at.onScreen, `focus off the screen on ${at.what}`);
          if (at.control) seen.add(at.mark);
        }
        assert.ok(seen.size >= wanted, `${address}: ${seen.size} of ${wanted} controls reached`);
        await page.evaluate(() => (window.__marks = undefined));
      }
      await browser.calm(page);
      await page.close();
    },
  },
];
