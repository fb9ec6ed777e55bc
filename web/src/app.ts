// The frame of the page: who is signed in, which page is shown, and what is said to screen readers.

import {html, nothing, type TemplateResult} from 'lit';
import {customElement, state} from 'lit/decorators.js';
import {session} from './api/session';
import type {Team} from './api/types';
import {announce, HoneElement} from './base';
import './components/login-form';
import './components/outbox-badge';
import './components/problem';
import './components/theme-switch';
import './pages/login';
import './pages/join';
import './pages/projects';
import {parseRoute, type Route} from './router';
import {showHidden} from './text/escape';

/** Pages that not everyone opens come in their own files. */
const LATER: Partial<Record<Route['page'], () => Promise<unknown>>> = {
  label: () => import('./pages/label'),
  project: () => import('./pages/project'),
  run: () => import('./pages/run'),
  models: () => import('./pages/models'),
  model: () => import('./pages/model'),
  team: () => import('./pages/team'),
  account: () => import('./pages/account'),
};

const TITLES: Partial<Record<Route['page'], string>> = {
  projects: 'Projects', login: 'Log in', join: 'Join', reset: 'New password', models: 'Models', team: 'Team', account: 'Account',
};

@customElement('hone-app')
export class HoneApp extends HoneElement {
  @state() private route: Route = parseRoute(location.hash);
  @state() private loaded = new Set<string>();
  @state() private failed = false;
  @state() private said = '';

  override connectedCallback() {
    super.connectedCallback();
    window.addEventListener('hashchange', this.onHash);
    window.addEventListener('hone-announce', this.onAnnounce);
    session.addEventListener('change', this.onSession);
    void this.loadPage();
  }
  override disconnectedCallback() {
    super.disconnectedCallback();
    window.removeEventListener('hashchange', this.onHash);
    window.removeEventListener('hone-announce', this.onAnnounce);
    session.removeEventListener('change', this.onSession);
  }

  override render() {
    const bare = this.route.page === 'label' && session.state !== 'out' && session.state !== 'unknown';
    return html`
      <a class="skip-link" href="#main" @click=${this.skipToMain}>To the content</a>
      ${bare ? nothing : this.renderHeader()}
      ${bare ? this.renderPage() : html`<main id="main" tabindex="-1" class="page">${this.renderPage()}</main>`}
      ${session.state === 'lost' ? this.renderRelogin() : nothing}
      <div class="visually-hidden" role="status" aria-live="polite">${this.said}</div>`;
  }

  private renderHeader() {
    const info = session.info;
    const link = (page: Route['page'], address: string, text: string) =>
      html`<a href=${address} aria-current=${this.route.page === page ? 'page' : nothing}>${text}</a>`;
    return html`
      <header class="shell-top">
        <a class="brand" href="#/" aria-label="Hone, to the projects"><img src="./favicon.svg" alt="" width="24" height="24" />Hone</a>
        ${info ? html`<nav aria-label="Pages">
          ${link('projects', '#/', 'Projects')}
          ${session.may('reviewer') ? link('models', '#/models', 'Models') : nothing}
          ${session.may('admin') ? link('team', '#/team', 'Team') : nothing}
          ${link('account', '#/account', 'Account')}
        </nav>` : nothing}
        <span class="grow"></span>
        ${info ? html`<hone-outbox-badge></hone-outbox-badge>
          ${info.teams.length > 1 ? html`<label class="team-choice"><span class="visually-hidden">Team</span>
            <select @change=${this.chooseTeam}>${info.teams.map((team) => html`<option value=${team.id} ?selected=${team.id === info.team.id}>${showHidden(team.name)}</option>`)}</select></label>`
            : html`<bdi class="who">${showHidden(info.team?.name ?? '')}</bdi>`}
          <bdi class="who" title=${info.user.email}>${showHidden(info.user.name)}</bdi>` : nothing}
        <hone-theme-switch></hone-theme-switch>
      </header>`;
  }

  private renderPage(): TemplateResult | typeof nothing {
    const route = this.route;
    if (route.page === 'join') return html`<hone-page-join .token=${route.token}></hone-page-join>`;
    if (route.page === 'reset') return html`<hone-page-reset .token=${route.token}></hone-page-reset>`;
    if (session.state === 'unknown')
      return session.problem
        ? html`<div class="narrow-page"><h1>Hone cannot be reached</h1><hone-problem .problem=${session.problem} retryable @retry=${() => void session.load()}></hone-problem></div>`
        : nothing;
    if (session.state === 'out') return html`<hone-page-login></hone-page-login>`;
    if (this.failed)
      return html`<div class="narrow-page"><h1>This page could not be loaded</h1>
        <p>Its files are not the ones this server has now; it was probably updated.</p>
        <button type="button" class="primary" @click=${() => location.reload()}>Load again</button></div>`;
    if (LATER[route.page] && !this.loaded.has(route.page)) return nothing;
    switch (route.page) {
      case 'projects': return html`<hone-page-projects></hone-page-projects>`;
      case 'login': return html`<hone-page-projects></hone-page-projects>`;
      case 'project': return html`<hone-page-project .project=${route.id}></hone-page-project>`;
      case 'label': return html`<hone-page-label .project=${route.id}></hone-page-label>`;
      case 'run': return html`<hone-page-run .run=${route.id}></hone-page-run>`;
      case 'models': return html`<hone-page-models></hone-page-models>`;
      case 'model': return html`<hone-page-model .name=${route.name} .version=${route.version}></hone-page-model>`;
      case 'team': return html`<hone-page-team></hone-page-team>`;
      case 'account': return html`<hone-page-account></hone-page-account>`;
      default: return html`<div class="narrow-page"><h1>No such page</h1><p><a href="#/">To the projects</a></p></div>`;
    }
  }

  /** The login ended while somebody works: the page stays as it is, behind this dialog. */
  private renderRelogin() {
    return html`<dialog class="panel-dialog" id="relogin" aria-labelledby="relogin-title" @cancel=${(e: Event) => e.preventDefault()}>
      <div class="dialog-body"><h2 id="relogin-title">Please log in again</h2>
        <p>Your login has ended. What you did here is kept, and unsent answers go out after you log in.</p>
        <hone-login-form .email=${session.info?.user.email ?? ''}></hone-login-form>
      </div></dialog>`;
  }

  override updated() {
    const dialog = this.querySelector<HTMLDialogElement>('#relogin');
    if (dialog && !dialog.open) dialog.showModal();
  }

  private onHash = () => {
    if (location.hash === '#main') return;
    const before = this.route;
    this.route = parseRoute(location.hash);
    this.failed = false;
    void this.loadPage();
    if (JSON.stringify(before) === JSON.stringify(this.route)) return;
    window.scrollTo(0, 0);
    void this.updateComplete.then(() => this.querySelector<HTMLElement>('#main')?.focus({preventScroll: true}));
    announce(TITLES[this.route.page] ?? '');
  };

  private async loadPage(): Promise<void> {
    const page = this.route.page;
    const title = TITLES[page];
    document.title = title ? `${title} · Hone` : 'Hone';
    if (page === 'login' && session.state === 'in') location.hash = '#/';
    try {
      await LATER[page]?.();
      this.loaded = new Set(this.loaded).add(page);
    } catch {
      if (this.route.page === page) this.failed = true;
    }
  }

  private onSession = () => {
    if (session.state === 'in' && this.route.page === 'login') location.hash = '#/';
    this.requestUpdate();
  };
  private onAnnounce = (event: Event) => (this.said = (event as CustomEvent<string>).detail);
  private skipToMain = (event: Event) => {
    event.preventDefault();
    this.querySelector<HTMLElement>('#main')?.focus();
  };
  private chooseTeam = (event: Event) => {
    const id = (event.target as HTMLSelectElement).value;
    const team = session.info?.teams.find((t: Team) => t.id === id);
    if (!team) return;
    void session.choose(team).then(() => {
      location.hash = '#/';
    });
  };
}
