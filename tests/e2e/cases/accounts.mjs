// The first administrator, by the one-time link; logging out and in.
import assert from 'node:assert/strict';

export const PERSON = {name: 'First Administrator', email: 'first@example.org', password: 'a long and private sentence'};

export const accounts = [
  {
    name: 'the one-time link opens the first account, by keyboard alone, and works once',
    needs: {always: true},
    async run(state) {
      const {browser, world} = state;
      const page = await browser.page(new URL(world.link).hash);
      await page.getByLabel('Your name').focus();
      await page.keyboard.type(PERSON.name);
      await page.keyboard.press('Tab');
      await page.keyboard.type(PERSON.email);
      await page.keyboard.press('Tab');
      await page.keyboard.type(PERSON.password);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', {name: 'Projects', exact: true}).waitFor();
      await browser.calm(page);

      await browser.go(page, new URL(world.link).hash);
      await page.getByLabel('Your name').fill('Second');
      await page.getByLabel('E-mail').fill('second@example.org');
      await page.getByLabel('Password').fill(PERSON.password);
      await page.keyboard.press('Enter');
      await page.getByRole('alert').waitFor();
      await page.close();
      state.account = PERSON;
    },
  },
  {
    name: 'a person logs out and in again; a wrong password is refused with a sentence',
    needs: {state: ['account']},
    async run({browser}) {
      const page = await browser.page('#/account');
      await page.getByRole('button', {name: 'Log out', exact: true}).click();
      await page.getByRole('heading', {name: 'Log in'}).waitFor();
      await page.getByLabel('E-mail').fill(PERSON.email);
      await page.getByLabel('Password').fill('not the password');
      await page.getByRole('button', {name: 'Log in'}).click();
      assert.ok((await page.getByRole('alert').innerText()).length > 10);
      await page.getByLabel('Password').fill(PERSON.password);
      await page.getByRole('button', {name: 'Log in'}).click();
      await page.getByRole('heading', {name: 'Account'}).waitFor();
      await browser.calm(page);
      await page.close();
    },
  },
  {
    name: 'an invitation link is shown to copy, and opens an annotator’s account',
    needs: {state: ['account']},
    async run({browser}) {
      const page = await browser.page('#/team');
      await page.getByLabel('E-mail').fill('judge@example.org');
      await page.getByLabel('Role', {exact: true}).selectOption('annotator');
      await page.getByRole('button', {name: 'Make a link'}).click();
      const link = await page.getByLabel(/Invitation link/).inputValue();
      assert.match(link, /#\/join\/.{20,}/);
      await browser.calm(page);

      const other = await browser.browser.newContext();
      const theirs = await other.newPage();
      await theirs.goto(`${browser.world.url}/${new URL(link).hash}`);
      await theirs.getByLabel('Your name').fill('A Judge');
      await theirs.getByLabel('E-mail').fill('judge@example.org');
      await theirs.getByLabel('Password').fill('another long sentence here');
      await theirs.keyboard.press('Enter');
      await theirs.getByRole('heading', {name: 'Projects', exact: true}).waitFor();
      assert.equal(await theirs.getByRole('button', {name: 'New project'}).count(), 0, 'an annotator is offered no new project');
      await other.close();
      await page.close();
    },
  },
];
