// E-mail and password, made for password managers; paste is allowed everywhere.

import {html} from 'lit';
import {customElement, property, state} from 'lit/decorators.js';
import {toProblem, type Problem} from '../api/http';
import {session} from '../api/session';
import {HoneElement, newId} from '../base';
import './problem';

@customElement('hone-login-form')
export class HoneLoginForm extends HoneElement {
  @property() email = '';
  @state() private problem?: Problem;
  @state() private busy = false;
  private id_ = newId('login');

  override render() {
    return html`
      <form class="form" @submit=${this.submit}>
        <label for="${this.id_}-email">E-mail</label>
        <input id="${this.id_}-email" name="email" type="email" autocomplete="username" required .value=${this.email} />
        <label for="${this.id_}-password">Password</label>
        <input id="${this.id_}-password" name="password" type="password" autocomplete="current-password" required />
        <hone-problem .problem=${this.problem}></hone-problem>
        <button type="submit" class="primary" ?disabled=${this.busy}>${this.busy ? 'Logging in…' : 'Log in'}</button>
      </form>`;
  }

  private submit = async (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    this.busy = true;
    this.problem = undefined;
    try {
      await session.login(String(data.get('email')), String(data.get('password')));
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.busy = false;
    }
  };
}
