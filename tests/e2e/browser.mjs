// Chromium under watch: every page reports dialogs, CSP violations, page errors and requests that
// leave the server, and each of them fails the test that caused it.
import {mkdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {ROOT} from './world.mjs';

const require = createRequire(join(ROOT, 'web/package.json'));
const {chromium} = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

export async function openBrowser(world) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-extensions', '--no-first-run'],
  });
  const context = await browser.newContext({viewport: {width: 1366, height: 820}, acceptDownloads: true, reducedMotion: 'reduce'});
  context.setDefaultTimeout(45_000); // a machine that is busy elsewhere is slow, not wrong
  await context.addInitScript(() => {
    window.__violations = [];
    document.addEventListener('securitypolicyviolation', (e) => window.__violations.push(`${e.violatedDirective}: ${e.blockedURI} ${e.sample}`));
  });
  return new Browser(world, browser, context);
}

class Browser {
  trouble = [];
  constructor(world, browser, context) {
    Object.assign(this, {world, browser, context});
  }

  async page(address = '#/') {
    const page = await this.context.newPage();
    page.on('dialog', (dialog) => {
      this.trouble.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss().catch(() => {});
    });
    page.on('pageerror', (error) => this.trouble.push(`error on the page: ${error.message}`));
    page.on('console', (message) => {
      if (/Content Security Policy|TrustedHTML|TrustedScript/.test(message.text())) this.trouble.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      const address = request.url();
      if (!address.startsWith(`${this.world.url}/`) && !address.startsWith('data:') && !address.startsWith('blob:')) this.trouble.push(`request to ${address}`);
    });
    await page.goto(`${this.world.url}/${address}`);
    return page;
  }

  /** Goes to a hash address inside a page that is open. */
  async go(page, address) {
    await page.goto(`${this.world.url}/${address}`);
    await page.waitForLoadState('networkidle').catch(() => {});
  }

  /** Throws when anything above happened since the last call. */
  async calm(page) {
    if (page && !page.isClosed()) this.trouble.push(...(await page.evaluate(() => window.__violations.splice(0))));
    const trouble = this.trouble.splice(0);
    if (trouble.length) throw new Error(`the browser reported:\n  ${[...new Set(trouble)].join('\n  ')}`);
  }

  /** axe finds no serious or critical violation on the page as it stands. */
  async accessible(page, where) {
    if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
    const {violations} = await page.evaluate((tags) => window.axe.run({runOnly: tags}), AXE_TAGS);
    const grave = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
    if (grave.length)
      throw new Error(grave.map((v) => `${where}: ${v.impact} ${v.id} on ${v.nodes.length}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} (${(n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? ''})`).join('; ')}`).join('\n'));
  }

  /** Calls the server from inside the page, with its login. */
  api(page, method, path, body, headers = {}) {
    return page.evaluate(async ([method, path, body, extra]) => {
      const session = method === 'GET' ? null : await (await fetch('/api/v1/session')).json();
      const raw = typeof body === 'string';
      const response = await fetch(`/api/v1${path}`, {
        method, body: body === null ? undefined : raw ? body : JSON.stringify(body),
        headers: {...(session ? {'X-Hone-CSRF': session.csrf} : {}), ...(body === null ? {} : {'Content-Type': raw ? 'application/jsonl' : 'application/json'}), ...extra},
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
      return text ? JSON.parse(text) : null;
    }, [method, path, body ?? null, headers]);
  }

  /** Short answers for every prompt of a project, drawn by the real worker; resolves when they are compared. */
  async sample(page, project, responses, seed) {
    const {world} = this;
    const base = (await this.api(page, 'GET', '/bases')).data[0];
    const job = await this.api(page, 'POST', `/projects/${project}/samples`, {base: base.id, responses_per_prompt: responses, max_tokens: 6, temperature: 1.5, seed, split: 'all'});
    for (let i = 0; i < 1200; ++i) {
      const {state, error} = await this.api(page, 'GET', `/jobs/${job.id}`);
      if (state === 'succeeded') return;
      if (['failed', 'dead', 'cancelled'].includes(state)) throw new Error(`sampling on ${world.url} ended as ${state}: ${error?.detail}`);
      await page.waitForTimeout(200);
    }
    throw new Error('sampling did not end');
  }

  /** Pictures of the open pages go to test-results/; resolves to what their alerts say, for the log. */
  async keep(name) {
    const folder = join(ROOT, 'test-results');
    mkdirSync(folder, {recursive: true});
    const said = [];
    for (const [i, page] of this.context.pages().entries()) {
      await page.screenshot({path: join(folder, `${name.replace(/\W+/g, '-').slice(0, 60)}-${i}.png`), fullPage: true}).catch(() => {});
      for (const alert of await page.getByRole('alert').allInnerTexts().catch(() => [])) if (alert.trim()) said.push(`${page.url()}: ${alert.trim()}`);
    }
    for (const page of this.context.pages()) await page.close().catch(() => {});
    await this.context.setOffline(false).catch(() => {});
    said.push(...this.trouble.splice(0));
    return said;
  }
  close() {
    return this.browser.close();
  }
}
