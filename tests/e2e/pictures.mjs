// The pictures of the README, from a server with real data (after `make demo`):
//
//   BASE_URL=http://127.0.0.1:8080 LINK="$(build/release/bin/hone setup-link)" node tests/e2e/pictures.mjs
//
// Takes the first project with open comparisons for docs/labelling.png, and the newest run with
// curves for docs/run.png. LINK makes an administrator ("Pictures"); deactivate it afterwards, or
// give EMAIL and PASSWORD of an account instead.
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {openBrowser} from './browser.mjs';
import {ROOT} from './world.mjs';

const {BASE_URL, LINK, EMAIL, PASSWORD} = process.env;
if (!BASE_URL || !(LINK || (EMAIL && PASSWORD))) {
  console.error('pictures: want BASE_URL, and LINK or EMAIL and PASSWORD');
  process.exit(64);
}
const browser = await openBrowser({url: BASE_URL.replace(/\/$/, '')});
try {
  const page = await browser.page(LINK ? new URL(LINK.trim()).hash : '#/login');
  await page.setViewportSize({width: 1440, height: 860});
  if (LINK) await page.getByLabel('Your name').fill('Pictures');
  await page.getByLabel('E-mail').fill(EMAIL ?? `pictures-${Date.now()}@example.org`);
  await page.getByLabel('Password').fill(PASSWORD ?? crypto.randomUUID() + crypto.randomUUID());
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'Projects', exact: true}).waitFor();
  mkdirSync(join(ROOT, 'docs'), {recursive: true});

  const projects = (await browser.api(page, 'GET', '/projects')).data;
  const open = projects.find((project) => project.counts?.open > 0);
  if (open) {
    await browser.go(page, `#/projects/${open.id}/label`);
    await page.locator('hone-comparison').waitFor();
    await page.waitForTimeout(600);
    await page.screenshot({path: join(ROOT, 'docs/labelling.png')});
    console.log('docs/labelling.png');
  } else console.log('no project has open comparisons: docs/labelling.png is left as it is');

  const runs = (await browser.api(page, 'GET', '/runs')).data.filter((run) => run.metrics && Object.keys(run.metrics).length);
  const run = runs.find((each) => each.state === 'succeeded') ?? runs[0];
  if (run) {
    await page.setViewportSize({width: 1440, height: 1180});
    await browser.go(page, `#/runs/${run.id}`);
    await page.locator('hone-chart[label=Loss] path.line').first().waitFor();
    await page.waitForTimeout(600);
    await page.screenshot({path: join(ROOT, 'docs/run.png')});
    console.log('docs/run.png');
  } else console.log('no run has curves: docs/run.png is left as it is');
} finally {
  await browser.close();
}
