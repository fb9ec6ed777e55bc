// The two pages behind one-time links: taking an invitation, and setting a new password.

import {html} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {call, toProblem, type Problem} from '../api/http';
import {session} from '../api/session';
import type {SessionInfo} from '../api/types';
import {HoneElement} from '../base';
import '../components/problem';
import {go} from '../router';

abstract class LinkPage extends HoneElement {
  @property() token = '';
  @state() protected problem?: Problem;
  @state() protected busy = false;

  protected async enter(path: string, body: unknown): Promise<void> {
    this.busy = true;
    this.problem = undefined;
    try {
      session.enter(await call<SessionInfo>('POST', path, {body, quiet401: true}));
      go('#/');
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.busy = false;
    }
  }
}

@customElement('hone-page-join')
export class HonePageJoin extends LinkPage {
  override render() {
    return html`
      <div class="narrow-page">
        <h1>Welcome to Hone</h1>
        <p>This link opens an account for you. It works once.</p>
        <form class="form" @submit=${this.submit}>
          <label for="join-name">Your name</label>
          <input id="join-name" name="name" autocomplete="name" required maxlength="100" />
          <label for="join-email">E-mail</label>
          <input id="join-email" name="email" type="email" autocomplete="username" required maxlength="254" />
          <label for="join-password">Password</label>
          <input id="join-password" name="password" type="password" autocomplete="new-password" required minlength="8" aria-describedby="join-password-help" />
          <p class="fine" id="join-password-help">At least 8 characters, better 15. Any characters, as long as you like; common passwords are refused.</p>
          <hone-problem .problem=${this.problem}></hone-problem>
          <button type="submit" class="primary" ?disabled=${this.busy}>Open my account</button>
        </form>
      </div>`;
  }
  private submit = (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    void this.enter('/invitations/accept', {
      token: this.token, name: String(data.get('name')), email: String(data.get('email')), password: String(data.get('password')),
    });
  };
}

@customElement('hone-page-reset')
export class HonePageReset extends LinkPage {
  override render() {
    return html`
      <div class="narrow-page">
        <h1>Set a new password</h1>
        <p>This link works once. All other logins of your account end.</p>
        <form class="form" @submit=${this.submit}>
          <label for="reset-password">New password</label>
          <input id="reset-password" name="password" type="password" autocomplete="new-password" required minlength="8" aria-describedby="reset-help" />
          <p class="fine" id="reset-help">At least 8 characters, better 15. Common passwords are refused.</p>
          <hone-problem .problem=${this.problem}></hone-problem>
          <button type="submit" class="primary" ?disabled=${this.busy}>Set password</button>
        </form>
      </div>`;
  }
  private submit = (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    void this.enter('/password/reset', {token: this.token, password: String(data.get('password'))});
  };
}
