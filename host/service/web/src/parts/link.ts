// How an element says that it can't know what happens right now.

import { html, nothing, type TemplateResult } from "lit";
import type { Live } from "../live/live";
import { moment } from "../text/format";
import { icon } from "./icons";

/** Nothing while the connection stands. */
export function linkNote(live: Live): TemplateResult | typeof nothing {
  const { link } = live;
  if (link.state === "denied") {
    return html`<div class="callout warn" role="alert">
      ${icon("unlinked")}<strong>The service wants to know who asks</strong>
      <span class="soft">${link.problem.remedy ?? "Sign in, or give this element a token."}</span>
    </div>`;
  }
  if (link.state !== "lost") return nothing;
  return html`<div class="callout warn" role="status">
    ${icon("unlinked")}
    ${
      live.listed
        ? html`<strong>Connection lost at ${moment(new Date(link.since).toISOString())}</strong>
            <span>What is shown is of then. Migrations go on without this page; it is tried again by itself.</span>`
        : html`<strong>Not connected: ${link.problem.message}</strong>
            ${link.problem.cause ? html`<span>${link.problem.cause}</span>` : nothing}
            <span>It is tried again by itself.</span>`
    }
    <span><button @click=${() => live.retry()}>${icon("again")}Try now</button></span>
  </div>`;
}
