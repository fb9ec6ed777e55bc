// Who is signed in: one store for the page, which feeds the CSRF and team headers.

import {call, identity, onSignedOut, Problem} from './http';
import type {Role, SessionInfo, Team} from './types';
import {ROLES} from './types';

const TEAM_KEY = 'hone.team';

/** 'lost' = was signed in and the server no longer knows it: the page stays, and asks to log in. */
export type SessionState = 'unknown' | 'out' | 'in' | 'lost';

class SessionStore extends EventTarget {
  state: SessionState = 'unknown';
  info: SessionInfo | null = null;
  /** The server could not be asked at all. */
  problem: Problem | null = null;

  constructor() {
    super();
    onSignedOut(() => {
      if (this.state === 'in') this.set('lost');
    });
  }

  /** Asks the server who this browser is. */
  async load(): Promise<void> {
    this.problem = null;
    identity.team = remembered();
    try {
      this.enter(await call<SessionInfo>('GET', '/session', {quiet401: true}));
    } catch (error) {
      if (error instanceof Problem && (error.status === 404 || error.status === 403) && identity.team) {
        identity.team = ''; // no longer of that team: fall back to the first one
        remember('');
        return this.load();
      }
      if (error instanceof Problem && error.status === 401) this.leave();
      else {
        this.problem = error as Problem;
        this.changed();
      }
    }
  }

  async login(email: string, password: string): Promise<void> {
    this.enter(await call<SessionInfo>('POST', '/session', {body: {email, password}, quiet401: true}));
  }

  /** Takes a session that another call returned (invitation, password reset). */
  enter(info: SessionInfo): void {
    this.info = info;
    identity.csrf = info.csrf;
    identity.team = info.team?.id ?? '';
    this.problem = null;
    this.set('in');
  }

  async logout(everywhere = false): Promise<void> {
    await call<void>('DELETE', everywhere ? '/sessions' : '/session', {quiet401: true}).catch((error) => {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
    });
    this.leave();
  }

  async choose(team: Team): Promise<void> {
    remember(team.id);
    await this.load();
  }

  /** Has at least this role in the team in use. */
  may(role: Role): boolean {
    const own = this.info?.team?.role;
    return own !== undefined && ROLES.indexOf(own) >= ROLES.indexOf(role);
  }

  private leave(): void {
    this.info = null;
    identity.csrf = '';
    this.set('out');
  }
  private set(state: SessionState): void {
    this.state = state;
    this.changed();
  }
  private changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}

function remembered(): string {
  try {
    return localStorage.getItem(TEAM_KEY) ?? '';
  } catch {
    return '';
  }
}
function remember(team: string): void {
  try {
    if (team) localStorage.setItem(TEAM_KEY, team);
    else localStorage.removeItem(TEAM_KEY);
  } catch {
    // Storage switched off: the choice then lasts as long as the page.
  }
}

export const session = new SessionStore();
