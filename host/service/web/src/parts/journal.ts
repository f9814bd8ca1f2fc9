// The journal of a task, record by record, each with what it holds.

import { html, nothing, type TemplateResult } from "lit";
import type { Entry } from "../api/types";
import { plain } from "../text/words";
import { when } from "./small";

export function journal(entries: Entry[]): TemplateResult {
  return html`<div class="scroll" role="region" aria-label="Journal" tabindex="0">
    <table>
      <thead><tr><th scope="col">When</th><th scope="col">Record</th><th scope="col">What it holds</th></tr></thead>
      <tbody>
        ${entries.map(
          (entry) => html`<tr>
            <td class="soft">${when(entry.at)}</td>
            <td>${plain(entry.record)}</td>
            <td class="break">${inShort(entry.details)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** The plain values in a line, the rest folded. */
function inShort(details: Record<string, unknown>): TemplateResult | typeof nothing {
  const entries = Object.entries(details).filter(([, value]) => value !== null && value !== "");
  if (!entries.length) return nothing;
  const flat = entries.filter(([, value]) => typeof value !== "object");
  const deep = entries.some(([, value]) => typeof value === "object");
  return html`${flat.map(([name, value], index) => html`${index ? ", " : ""}<span class="soft">${plain(name.replaceAll("_", " "))}</span> ${String(value)}`)}
    ${
      deep
        ? html`<details class="tiny"><summary>All of it</summary><pre class="mono scroll" tabindex="0">${JSON.stringify(details, null, 2)}</pre></details>`
        : nothing
    }`;
}
