// The people of the team, their roles, and invitations. People are deactivated, never deleted.

import {html, nothing} from 'lit';
import {customElement, state} from 'lit/decorators.js';
import {call, getAll, post, toProblem, type Problem} from '../api/http';
import {session} from '../api/session';
import {ROLES, type Invitation, type Person, type Role} from '../api/types';
import {HoneElement} from '../base';
import '../components/copy-field';
import '../components/problem';
import {showHidden} from '../text/escape';
import {ago} from '../text/format';

const MEANING: Record<Role, string> = {
  annotator: 'judges comparisons', reviewer: 'and reviews judgments', engineer: 'and runs projects, critics and training', admin: 'and manages people',
};

@customElement('hone-page-team')
export class HonePageTeam extends HoneElement {
  @state() private people: Person[] = [];
  @state() private invitations: Invitation[] = [];
  @state() private problem?: Problem;
  @state() private inviteProblem?: Problem;
  @state() private made?: {label: string; link: string};

  override connectedCallback() {
    super.connectedCallback();
    void this.load();
  }
  private async load(): Promise<void> {
    try {
      [this.people, this.invitations] = await Promise.all([getAll<Person>('/users'), getAll<Invitation>('/invitations')]);
    } catch (error) {
      this.problem = toProblem(error);
    }
  }
  private async act(work: () => Promise<unknown>): Promise<void> {
    this.problem = undefined;
    try {
      await work();
    } catch (error) {
      this.problem = toProblem(error);
    }
    await this.load();
  }

  override render() {
    return html`
      <h1>Team</h1>
      <hone-problem .problem=${this.problem}></hone-problem>
      <div role="status">${this.made ? html`<div class="card made"><hone-copy-field .label=${this.made.label} .value=${this.made.link}></hone-copy-field>
        <p class="fine">The link works once; send it to that person only.</p></div>` : nothing}</div>
      <section class="card"><h2>People</h2>
        <div class="table-scroll" tabindex="0" role="group" aria-label="People"><table>
          <thead><tr><th>Name</th><th>E-mail</th><th>Role</th><th>Last seen</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>${this.people.map((person) => this.renderPerson(person))}</tbody></table></div>
      </section>
      <section class="card"><h2>Invite somebody</h2>
        <form class="stack" @submit=${this.invite}>
          <div class="fields wide">
            <div class="field"><label for="invite-email">E-mail</label><input id="invite-email" name="email" type="email" required autocomplete="off" /></div>
            <div class="field"><label for="invite-role">Role</label><select id="invite-role" name="role">${ROLES.map((role) => html`<option value=${role}>${role}: ${MEANING[role]}</option>`)}</select></div>
          </div>
          <hone-problem .problem=${this.inviteProblem}></hone-problem>
          <div class="row end"><button type="submit" class="primary">Make a link</button></div>
        </form>
        ${this.invitations.length ? html`<h3>Open invitations</h3><ul class="plain">${this.invitations.map((i) => html`
          <li class="row spread"><span><bdi>${showHidden(i.email ?? 'anyone with the link')}</bdi> as ${i.role}, ends ${ago(i.expires_at)}</span>
            <button type="button" class="small" aria-label="Withdraw the invitation of ${showHidden(i.email ?? '')}" @click=${() => void this.act(() => call('DELETE', `/invitations/${i.id}`))}>Withdraw</button></li>`)}</ul>` : nothing}
      </section>`;
  }

  private renderPerson(person: Person) {
    const me = person.id === session.info?.user.id;
    const name = showHidden(person.name);
    return html`<tr class=${person.active ? '' : 'inactive'}>
      <td><bdi>${name}</bdi>${me ? html` <span class="fine">(you)</span>` : nothing}${person.active ? nothing : html` <span class="badge warn">deactivated</span>`}</td>
      <td><bdi>${showHidden(person.email)}</bdi></td>
      <td><select aria-label="Role of ${name}" ?disabled=${me || !person.active} @change=${(e: Event) => void this.act(() => call('PATCH', `/users/${person.id}`, {body: {role: (e.target as HTMLSelectElement).value}}))}>
        ${ROLES.map((role) => html`<option value=${role} ?selected=${role === person.role}>${role}</option>`)}</select></td>
      <td>${ago(person.last_seen_at)}</td>
      <td class="actions">
        <button type="button" class="small" aria-label="Make a reset link for ${name}" ?disabled=${!person.active} @click=${() => void this.reset(person)}>Reset link</button>
        ${me ? nothing : person.active
          ? html`<button type="button" class="small" aria-label="Deactivate ${name}" @click=${() => void this.act(() => post(`/users/${person.id}/deactivate`))}>Deactivate</button>`
          : html`<button type="button" class="small" aria-label="Activate ${name}" @click=${() => void this.act(() => post(`/users/${person.id}/activate`))}>Activate</button>`}
      </td></tr>`;
  }

  private reset(person: Person): Promise<void> {
    return this.act(async () => {
      const {link} = await post<{link: string}>(`/users/${person.id}/reset`);
      this.made = {label: `Password reset link for ${showHidden(person.name)}`, link};
    });
  }
  private invite = async (event: Event) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    this.inviteProblem = undefined;
    try {
      const invitation = await post<Invitation>('/invitations', {email: String(data.get('email')), role: String(data.get('role'))});
      this.made = {label: `Invitation link for ${showHidden(invitation.email ?? '')}`, link: invitation.link ?? ''};
      form.reset();
      await this.load();
    } catch (error) {
      this.inviteProblem = toProblem(error);
    }
  };
}
