// Asks for a token. It goes into a header of requests and nowhere else: not into a URL, not into a log.

import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { icon } from "../parts/icons";
import { sheet } from "../style/sheet";

export class WaypostSignIn extends LitElement {
  static override properties = { tried: { type: Boolean } };
  static override styles = [
    sheet,
    css`
      :host {
        color-scheme: inherit;
      }
      form {
        max-width: 400px;
        margin: min(12vh, 110px) auto;
        padding: 24px;
        display: grid;
        gap: 16px;
      }
      input {
        width: 100%;
        font-family: var(--mono);
      }
    `,
  ];

  /** A token was given, and refused. */
  declare tried: boolean;

  protected override render(): TemplateResult {
    return html`<form class="panel" @submit=${this.submit}>
      <h2>Sign in</h2>
      <p class="small soft">The service wants to know who asks. A token is made by whoever runs it.</p>
      ${this.tried ? html`<div class="callout bad" role="alert">${icon("alert")}<strong>This token is not accepted</strong><span>It may have expired, or was revoked.</span></div>` : nothing}
      <label class="field">Token<input name="token" type="password" autocomplete="current-password" required spellcheck="false" /></label>
      <button class="primary" type="submit">Sign in</button>
      <p class="tiny soft">It is kept until this tab is closed.</p>
    </form>`;
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const token = String(new FormData(event.target as HTMLFormElement).get("token") ?? "").trim();
    if (token) this.dispatchEvent(new CustomEvent("waypost-token", { detail: { token } }));
  }
}

customElements.define("waypost-sign-in", WaypostSignIn);
