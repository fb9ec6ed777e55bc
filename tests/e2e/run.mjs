// End-to-end tests in a real browser, against the real server, worker, database and base model.
//
//   tests/e2e/run [--only TEXT]
//
// Starts everything by itself: a private PostgreSQL and Redis (services/local/hone-local), and
// hone-server and hone-worker from build/<preset>/bin (HONE_BIN names another folder). With
// BASE_URL and LINK (the one-time link of `hone setup-link`) it uses a server that runs already;
// that server must know a base. Needs chromium (CHROMIUM, default /usr/bin/chromium) and the
// page's packages in web/node_modules. Screenshots of failures go to test-results/.
import {openWorld} from './world.mjs';
import {openBrowser} from './browser.mjs';
import {cases} from './cases.mjs';

const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : '';
const started = Date.now();
const seconds = (since) => ((Date.now() - since) / 1000).toFixed(1);

let passed = 0;
const failed = [];
const notRun = [];
const world = await openWorld().catch((error) => {
  console.error(`e2e: could not start: ${error.message}`);
  process.exit(1);
});
const browser = await openBrowser(world);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    await browser.close().catch(() => {});
    await world.stop();
    process.exit(130);
  });
const state = {world, browser};
try {
  for (const {name, run, needs} of cases) {
    if (only && !needs?.always && !name.includes(only)) continue;
    const missing = needs?.state?.find((key) => state[key] === undefined);
    if (missing) {
      notRun.push(name);
      console.log(`not run  ${name} (an earlier test did not give ${missing})`);
      continue;
    }
    const since = Date.now();
    try {
      const note = await run(state);
      ++passed;
      console.log(`ok       ${name} (${seconds(since)} s)${note ? `: ${note}` : ''}`);
    } catch (error) {
      failed.push(name);
      console.log(`FAILED   ${name} (${seconds(since)} s)\n         ${String(error?.stack ?? error).replaceAll('\n', '\n         ')}`);
      for (const line of await browser.keep(name)) console.log(`         the page said: ${line.replaceAll('\n', ' ')}`);
    }
  }
} finally {
  await browser.close();
  await world.stop(failed.length > 0);
}
console.log(`\n${passed} passed, ${failed.length} failed, ${notRun.length} not run, in ${seconds(started)} s`);
if (failed.length || notRun.length) process.exit(1);
