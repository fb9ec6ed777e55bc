// Log in; where somebody was heading stays in the address and opens afterwards.

import {html} from 'lit';
import {customElement} from 'lit/decorators.js';
import {HoneElement} from '../base';
import '../components/login-form';

@customElement('hone-page-login')
export class HonePageLogin extends HoneElement {
  override render() {
    return html`
      <div class="narrow-page">
        <h1>Log in</h1>
        <hone-login-form></hone-login-form>
        <p class="fine">Hone is by invitation: ask an administrator of your team for a link. If you forgot your password, they can give you a reset link.</p>
      </div>`;
  }
}
