// <waypost-decisions>: what policies were asked and answered. `task="ID"`: all decisions of a task; `plugin="NAME"`: those of
// one policy over all migrations, the last `recent` of them (50 by default). A page that has them already sets the property
// `decisions`.

import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { Decision } from "../api/types";
import { Loaded } from "../live/loaded";
import { icon } from "../parts/icons";
import { bones, empty, problemNote, when } from "../parts/small";
import { hookSays } from "../text/words";
import { WaypostElement } from "./base";

interface Row {
  decision: Decision;
  /** Of which migration, where several are shown. */
  of: { id: string; domain: string } | null;
}

export class WaypostDecisions extends WaypostElement {
  static override properties = {
    task: { type: String },
    plugin: { type: String },
    recent: { type: Number },
    decisions: { attribute: false },
    open: { state: true },
  };
  static override styles = [
    WaypostElement.styles,
    css`
      .scroll {
        max-height: min(70vh, 560px);
      }
      thead th {
        position: sticky;
        top: 0;
        z-index: 1;
        box-shadow: inset 0 -1px var(--line);
      }
      td:first-child {
        white-space: nowrap;
      }
      .answer {
        max-width: 46ch;
        overflow-wrap: anywhere;
      }
      .fault {
        color: var(--bad);
      }
      .inside {
        padding: 4px 10px 12px 30px;
      }
      pre {
        margin: 0;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      td button {
        min-height: 24px;
        padding: 0 4px;
        vertical-align: middle;
      }
      tr.open > * {
        border-bottom-color: transparent;
      }
      .turn {
        display: inline-grid;
        transition: rotate 0.12s;
      }
      [aria-expanded="true"] .turn {
        rotate: 90deg;
      }
    `,
  ];

  declare task: string | null;
  declare plugin: string | null;
  declare recent: number;
  declare decisions: Decision[] | null;
  private declare open: number | null;

  private readonly rows = new Loaded<Row[]>(this, () => this.read());

  constructor() {
    super();
    this.recent = 50;
    this.decisions = null;
    this.open = null;
  }

  protected override served(): void {
    this.begin();
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    // The first time the service becomes known as well, and with it this is read.
    if (this.hasUpdated && (changed.has("task") || changed.has("plugin"))) this.begin();
  }

  private begin(): void {
    this.rows.reset();
    this.open = null;
    if (!this.decisions && (this.task || this.plugin)) void this.rows.reload();
  }

  private async read(): Promise<Row[]> {
    if (this.task) {
      const { decisions } = await this.client.records(this.task);
      return decisions
        .filter((decision) => !this.plugin || decision.plugin === this.plugin)
        .map((decision) => ({ decision, of: null }));
    }
    const { decisions } = await this.client.decisions(this.plugin!, this.recent);
    return decisions.map(({ decision, task, domain }) => ({ decision, of: { id: task, domain } }));
  }

  protected override render(): TemplateResult {
    const rows = this.decisions?.map((decision): Row => ({ decision, of: null })) ?? this.rows.value;
    if (!rows) {
      if (this.rows.problem) return problemNote(this.rows.problem, "The decisions could not be read", () => void this.rows.reload());
      if (!this.task && !this.plugin) return html`<p class="soft">This element needs <code>task</code> or <code>plugin</code>.</p>`;
      return bones(3);
    }
    if (!rows.length) {
      return this.plugin && !this.task
        ? empty("rules", "No decision of it", "It was asked in no migration that is on record.")
        : empty("rules", "No decisions", "No policy was asked in this migration.");
    }
    const several = rows.some((row) => row.of);
    return html`<div class="scroll" role="region" aria-label="Decisions" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">When</th>
            ${several ? html`<th scope="col">Migration of</th>` : nothing}
            ${this.plugin ? nothing : html`<th scope="col">Policy</th>`}
            <th scope="col">Hook</th>
            <th scope="col">Mode</th>
            <th scope="col">Answer</th>
            <th scope="col" class="number">Took</th>
          </tr>
        </thead>
        <tbody>${rows.map((row, index) => this.row(row, index, several))}</tbody>
      </table>
    </div>`;
  }

  private row({ decision, of }: Row, index: number, several: boolean): TemplateResult {
    const open = this.open === index;
    const columns = 5 + (several ? 1 : 0) + (this.plugin ? 0 : 1);
    return html`<tr class=${open ? "open" : ""}>
        <td>
          <button class="quiet" aria-expanded=${open} aria-label="What it was given" @click=${() => (this.open = open ? null : index)}>
            <span class="turn">${icon("right")}</span>
          </button>
          ${when(decision.decided_at)}
        </td>
        ${several ? html`<td>${of?.domain}</td>` : nothing}
        ${this.plugin ? nothing : html`<td class="mono">${decision.plugin}</td>`}
        <td title=${hookSays(decision.hook)}>${decision.hook}</td>
        <td>${decision.mode === "enforce" ? "enforce" : html`<span class="tag">${decision.mode}</span>`}</td>
        <td class="answer">${decision.fault ? html`<span class="fault">${icon("alert")} ${decision.fault}</span>` : decision.answer}</td>
        <td class="number soft">${(decision.micros / 1000).toFixed(1)} ms</td>
      </tr>
      ${open ? html`<tr><td colspan=${columns} class="inside">${this.given(decision)}</td></tr>` : nothing}`;
  }

  private given(decision: Decision): TemplateResult {
    return html`<dl class="facts tiny">
      ${decision.fault ? html`<dt>Its answer</dt><dd>${decision.answer || "none"}</dd>` : nothing}
      <dt>Settings</dt><dd>${
        decision.settings === null ? "shown to whoever may change policies" : html`<pre class="mono">${pretty(decision.settings)}</pre>`
      }</dd>
      <dt>Facts it read</dt><dd class="mono">${decision.facts_read.join(", ") || "none"}</dd>
      <dt>Digest of the facts</dt><dd class="mono">${decision.facts_digest}</dd>
      <dt>Digest of the policy</dt><dd class="mono">${decision.digest}</dd>
      <dt>Fuel</dt><dd>${decision.fuel.toLocaleString()}</dd>
    </dl>`;
  }
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 1).replace(/\n\s*/g, " ");
  } catch {
    return json;
  }
}

customElements.define("waypost-decisions", WaypostDecisions);
