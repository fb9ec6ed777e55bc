// One's own password, API tokens and logins.

import {html, nothing} from 'lit';
import {customElement, state} from 'lit/decorators.js';
import {call, getAll, post, toProblem, type Problem} from '../api/http';
import {session} from '../api/session';
import {ROLES, type Token} from '../api/types';
import {announce, HoneElement} from '../base';
import '../components/copy-field';
import '../components/problem';
import {showHidden} from '../text/escape';
import {ago} from '../text/format';

@customElement('hone-page-account')
export class HonePageAccount extends HoneElement {
  @state() private tokens: Token[] = [];
  @state() private made?: Token;
  @state() private problem?: Problem;
  @state() private passwordProblem?: Problem;
  @state() private passwordSaved = false;

  override connectedCallback() {
    super.connectedCallback();
    void this.load();
  }
  private async load(): Promise<void> {
    if (!session.may('engineer')) return;
    try {
      this.tokens = await getAll<Token>('/tokens');
    } catch (error) {
      this.problem = toProblem(error);
    }
  }

  override render() {
    const info = session.info;
    if (!info) return nothing;
    return html`
      <h1>Account</h1>
      <p><bdi>${showHidden(info.user.name)}</bdi> · <bdi>${showHidden(info.user.email)}</bdi> · ${info.team?.role ?? 'no role'} in <bdi>${showHidden(info.team?.name ?? 'no team')}</bdi></p>
      <hone-problem .problem=${this.problem}></hone-problem>
      <div class="columns">
        <section class="card"><h2>Password</h2>
          <form class="form" @submit=${this.changePassword}>
            <input class="visually-hidden" type="text" name="username" autocomplete="username" .value=${info.user.email} readonly tabindex="-1" aria-hidden="true" />
            <label for="pw-current">Current password</label><input id="pw-current" name="current" type="password" autocomplete="current-password" required />
            <label for="pw-new">New password</label><input id="pw-new" name="password" type="password" autocomplete="new-password" required minlength="8" aria-describedby="pw-help" />
            <p class="fine" id="pw-help">At least 8 characters, better 15. Your other logins end.</p>
            <hone-problem .problem=${this.passwordProblem}></hone-problem>
            <div class="row end"><span role="status">${this.passwordSaved ? 'Changed.' : ''}</span><button type="submit" class="primary">Change</button></div>
          </form></section>
        <section class="card"><h2>Logins</h2>
          <p>Leaving this browser, or everywhere at once when a device is lost.</p>
          <div class="row"><button type="button" @click=${() => void this.leave(false)}>Log out</button>
            <button type="button" class="danger" @click=${() => void this.leave(true)}>Log out everywhere</button></div></section>
      </div>
      ${session.may('engineer') ? this.renderTokens() : nothing}`;
  }

  private renderTokens() {
    const roles = ROLES.slice(0, ROLES.indexOf(session.info!.team.role) + 1);
    return html`
      <section class="card"><h2>API tokens</h2>
        <p>For the command line and scripts: <code>Authorization: Bearer …</code>. A token may do what its role may, in this team.</p>
        <div role="status">${this.made?.token ? html`<div class="made"><hone-copy-field label="The new token ${showHidden(this.made.name)}: shown this once" .value=${this.made.token}></hone-copy-field></div>` : nothing}</div>
        <form class="stack" @submit=${this.makeToken}>
          <div class="fields">
            <div class="field"><label for="token-name">Name</label><input id="token-name" name="name" required maxlength="80" autocomplete="off" /></div>
            <div class="field"><label for="token-role">Role</label><select id="token-role" name="role">${roles.map((role) => html`<option ?selected=${role === session.info!.team.role}>${role}</option>`)}</select></div>
            <div class="field"><label for="token-days">Ends after (days)</label><input id="token-days" name="days" type="number" min="1" max="365" step="1" value="90" required /></div>
          </div>
          <div class="row end"><button type="submit" class="primary">Make a token</button></div>
        </form>
        ${this.tokens.length ? html`<div class="table-scroll" tabindex="0" role="group" aria-label="Tokens"><table>
          <thead><tr><th>Name</th><th>Role</th><th>Ends</th><th>Last used</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>${this.tokens.map((token) => html`<tr><td><bdi>${showHidden(token.name)}</bdi></td><td>${token.role}</td><td>${ago(token.expires_at)}</td><td>${ago(token.last_used_at)}</td>
            <td class="actions"><button type="button" class="small" aria-label="Revoke ${showHidden(token.name)}" @click=${() => void this.revoke(token)}>Revoke</button></td></tr>`)}</tbody></table></div>` : nothing}
      </section>`;
  }

  private changePassword = async (event: Event) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    this.passwordProblem = undefined;
    this.passwordSaved = false;
    try {
      await call('PUT', '/password', {body: {current: String(data.get('current')), password: String(data.get('password'))}});
      form.reset();
      this.passwordSaved = true;
      await session.load();
    } catch (error) {
      this.passwordProblem = toProblem(error);
    }
  };
  private async leave(everywhere: boolean): Promise<void> {
    try {
      await session.logout(everywhere);
      announce('You are logged out.');
    } catch (error) {
      this.problem = toProblem(error);
    }
  }
  private makeToken = async (event: Event) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    this.problem = undefined;
    try {
      this.made = await post<Token>('/tokens', {name: String(data.get('name')), role: String(data.get('role')), expires_in_days: Number(data.get('days'))});
      form.reset();
      await this.load();
    } catch (error) {
      this.problem = toProblem(error);
    }
  };
  private async revoke(token: Token): Promise<void> {
    try {
      await call('DELETE', `/tokens/${token.id}`);
      if (this.made?.id === token.id) this.made = undefined;
      await this.load();
    } catch (error) {
      this.problem = toProblem(error);
    }
  }
}
