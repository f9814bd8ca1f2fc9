// How an element says that it can't know what happens right now.

import { html, nothing, type TemplateResult } from "lit";
import type { Live } from "../live/live";
import { moment } from "../text/format";
import { icon } from "./icons";

/** Nothing while the connection stands. */
export function linkNote(live: Live, className = ""): TemplateResult | typeof nothing {
  const { link } = live;
  if (link.state === "denied") {
    return html`<div class="callout warn ${className}" role="alert">
      ${icon("unlinked")}<strong>The service wants to know who asks</strong>
      <span class="soft">${link.problem.remedy ?? "Sign in, or give this element a token."}</span>
    </div>`;
  }
  if (link.state !== "lost") return nothing;
  const since = new Date(link.since).toISOString();
  return html`<div class="callout warn ${className}" role="status">
    ${icon("unlinked")}<strong>Connection lost at ${moment(since)}</strong>
    <span>What is shown is of then. Migrations go on without this page; it is tried again by itself.</span>
    <span><button @click=${() => live.retry()}>${icon("again")}Try now</button></span>
  </div>`;
}
