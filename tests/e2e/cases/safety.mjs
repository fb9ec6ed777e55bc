// Hostile text in every field a person or a model can fill: it is shown, and does nothing.
import assert from 'node:assert/strict';

const PAYLOADS = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<svg><script>alert(1)</script></svg>',
  '<iframe srcdoc="<script>alert(1)</script>">', '<iframe src="javascript:alert(1)">', '<a href="javascript:alert(1)">x</a>', '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))', '[x](data:text/html,<script>alert(1)</script>)', '[x](vbscript:msgbox)', '![x](https://evil.example/track.png)', '![x](javascript:alert(1))',
  '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>', '<body onload=alert(1)>', '"><script>alert(1)</script>', "' onmouseover='alert(1)", '<details open ontoggle=alert(1)>',
  '<input autofocus onfocus=alert(1)>', '<form action="https://evil.example"><button>Log in</button></form>', '<object data="data:text/html,<script>alert(1)</script>">',
  '<style>@import "https://evil.example/x.css"</style>', '<link rel=stylesheet href=https://evil.example/x.css>', '<base href=https://evil.example/>', '<meta http-equiv=refresh content="0;url=https://evil.example">',
  '```"><img src=x onerror=alert(1)>\ncode\n```', '```html\n<script>alert(1)</script>\n```', '`<img src=x onerror=alert(1)>`', '| a |\n|---|\n| <img src=x onerror=alert(1)> |', '<x onclick=alert(1) style="position:fixed;inset:0">click',
  '[a]: javascript:alert(1)\n\n[a]', '<https://evil.example/"onmouseover="alert(1)>', '${alert(1)} {{constructor.constructor("alert(1)")()}}', '&lt;script&gt;alert(1)&lt;/script&gt;',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">', '<template><script>alert(1)</script></template>', '<hone-app></hone-app><hone-login-form></hone-login-form>', 'user\u202etxt.exe \u2066hidden\u2069 zero\u200bwidth \u{e0041}',
];

/** Nodes that text may become; anything else inside rendered text is a hole. */
const ALLOWED = 'p br hr em strong s del code pre blockquote ul ol li a span div table thead tbody tr th td button'.split(' ');

async function inspect(page) {
  const found = await page.evaluate((allowed) => {
    const bad = [];
    for (const node of document.querySelectorAll('.md *')) {
      if (!allowed.includes(node.localName)) bad.push(node.outerHTML.slice(0, 120));
      for (const {name, value} of node.attributes) if (name.startsWith('on') || name === 'style' || name === 'src' || (name === 'href' && !/^https?:/.test(value))) bad.push(`${node.localName} ${name}=${value}`);
    }
    for (const link of document.querySelectorAll('.md a')) if (!/noopener/.test(link.rel)) bad.push(`link without noopener: ${link.outerHTML}`);
    if (document.querySelectorAll('hone-app').length !== 1) bad.push('a text made an element of the page');
    if (/[\u202a-\u202e\u2066-\u2069\u200b]/.test(document.body.innerText)) bad.push('a bidi or invisible character is shown raw');
    return bad;
  }, ALLOWED);
  assert.deepEqual(found, []);
}

export const safety = [
  {
    name: `${PAYLOADS.length} hostile texts in names, guideline, prompts, answers and imports do nothing`,
    needs: {state: ['account']},
    async run({browser}) {
      const page = await browser.page('#/');
      const clip = (text) => [...text].slice(0, 100).join('');
      for (const payload of PAYLOADS.filter((_, i) => i % 5 === 0)) await browser.api(page, 'POST', '/projects', {name: clip(payload), slug: `hostile-${PAYLOADS.indexOf(payload)}`});
      const project = (await browser.api(page, 'POST', '/projects', {name: clip(PAYLOADS[1]), slug: 'hostile', guideline: PAYLOADS.join('\n\n')})).id;
      const rows = PAYLOADS.map((payload, i) => JSON.stringify({
        prompt: [{role: 'user', content: `${i} ${payload}`}, {role: 'assistant', content: payload}, {role: 'user', content: payload}], id: clip(payload),
      }));
      await browser.api(page, 'POST', `/projects/${project}/imports`, rows.join('\n'));
      await browser.api(page, 'POST', `/projects/${project}/critics`, {name: clip(PAYLOADS[0]), spec: {rules: [{type: 'contains', text: PAYLOADS[1]}]}});
      await browser.api(page, 'POST', '/invitations', {email: 'hostile@example.org', role: 'annotator'});
      await browser.api(page, 'POST', '/tokens', {name: clip(PAYLOADS[2]), role: 'engineer', expires_in_days: 1});
      await browser.calm(page);

      for (const address of ['#/', `#/projects/${project}`, '#/team', '#/account', '#/models', `#/projects/${encodeURIComponent(PAYLOADS[0])}`, `#/join/${encodeURIComponent(PAYLOADS[1])}`, `#/${encodeURIComponent(PAYLOADS[2])}`]) {
        await browser.go(page, address);
        await inspect(page);
      }
      await browser.go(page, `#/projects/${project}`);
      await page.getByRole('button', {name: 'Guideline and settings'}).click();
      await page.getByRole('button', {name: 'Import prompts or pairs'}).click();
      await page.getByLabel('or paste lines').fill(PAYLOADS.map((payload) => JSON.stringify({[payload]: payload})).join('\n'));
      await page.getByRole('button', {name: 'Import', exact: true}).click();
      await page.getByRole('alert').waitFor();
      await inspect(page);
      await browser.calm(page);

      // The prompts are hostile in the database; what the base answered to them is replaced on its way.
      await browser.sample(page, project, 2, 3);
      let turn = 0;
      await page.route('**/queue/next', async (route) => {
        const reply = await route.fetch();
        const body = await reply.json();
        for (const item of body.items ?? []) {
          item.left = [{role: 'assistant', content: PAYLOADS[turn++ % PAYLOADS.length]}];
          item.right = [{role: PAYLOADS[1], content: `text ${PAYLOADS[turn % PAYLOADS.length]}`}, {role: 'assistant', content: PAYLOADS.join('\n')}];
        }
        await route.fulfill({response: reply, json: body});
      });
      await browser.go(page, `#/projects/${project}/label`);
      await page.locator('hone-comparison').waitFor();
      let seen = 0;
      for (; seen < PAYLOADS.length + 5; ++seen) {
        const shown = await page.evaluate(() => document.querySelector('hone-comparison')?.item?.impression ?? null);
        if (!shown) break;
        await inspect(page);
        for (const key of ['r', 'r', 'd', 'd']) await page.keyboard.press(key);
        if (seen === 0) for (const key of ['g', 'g']) { await page.keyboard.press(key); await inspect(page); }
        await page.keyboard.press('4');
        await page.waitForFunction((before) => document.querySelector('hone-comparison')?.item?.impression !== before && document.querySelector('hone-page-label')?.work?.state !== 'loading', shown);
        await browser.calm(page);
      }
      assert.ok(seen >= PAYLOADS.length * 0.8, `only ${seen} comparisons were shown`);
      await page.close();
      return `${seen} comparisons seen`;
    },
  },
  {
    name: 'the page carries the exact policy: nothing inline, Trusted Types, no frames',
    needs: {state: ['account']},
    async run({browser, world}) {
      const response = await fetch(`${world.url}/`);
      const policy = response.headers.get('content-security-policy') ?? '';
      for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", 'trusted-types lit-html dompurify'])
        assert.ok(policy.includes(part), `${part} is missing in ${policy}`);
      assert.ok(!policy.includes('unsafe-'), policy);
      const page = await browser.page('#/');
      assert.equal(await page.evaluate(() => { try { document.createElement('div').innerHTML = '<b>x</b>'; return 'allowed'; } catch { return 'refused'; } }), 'refused');
      await page.evaluate(() => window.__violations.splice(0));
      browser.trouble = [];
      await page.close();
    },
  },
];
