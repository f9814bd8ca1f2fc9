// How an element says that it can't know what happens right now.

import { html, nothing, type TemplateResult } from "lit";
import type { Problem } from "../api/client";
import type { Live } from "../live/live";
import { moment } from "../text/format";
import { icon } from "./icons";

/** The service does not know who asks, or not any more. */
export function signedOutNote(problem: Problem): TemplateResult {
  return html`<div class="callout warn" role="alert">
    ${icon("unlinked")}<strong>Signed out</strong>
    <span>The service wants to know who asks: ${problem.message}. Migrations go on without this page.</span>
    ${problem.remedy ? html`<span class="soft">${problem.remedy}</span>` : nothing}
  </div>`;
}

/** Nothing while the connection stands. */
export function linkNote(live: Live): TemplateResult | typeof nothing {
  const { link } = live;
  if (link.state === "denied") return signedOutNote(link.problem);
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
