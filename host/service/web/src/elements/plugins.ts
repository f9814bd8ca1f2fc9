// <waypost-plugins>: the policies of the service: what each is asked, whether it is in force, and what it decided lately.

import { css, html, nothing, type TemplateResult } from "lit";
import type { Plugin, Plugins } from "../api/types";
import { Loaded } from "../live/loaded";
import { icon } from "../parts/icons";
import { bones, empty, pluginBadge, problemNote } from "../parts/small";
import { count } from "../text/format";
import { hookSays } from "../text/words";
import { WaypostElement } from "./base";
import "./decisions";

/** In the order in which a migration asks them. */
const HOOKS = ["transform", "precheck", "placement", "convergence", "recovery"];

export class WaypostPlugins extends WaypostElement {
  static override properties = { open: { state: true } };
  static override styles = [
    WaypostElement.styles,
    css`
      section + section {
        margin-top: 22px;
      }
      section > header {
        display: flex;
        gap: 8px;
        align-items: baseline;
        margin-bottom: 8px;
        text-transform: none;
      }
      .line {
        all: unset;
        box-sizing: border-box;
        width: 100%;
        display: grid;
        grid-template-columns: 14px minmax(11rem, 1fr) 10rem 6rem minmax(8rem, 1.6fr);
        gap: 4px 14px;
        align-items: center;
        padding: 8px 14px;
        min-height: 44px;
        cursor: pointer;
        font-size: var(--t-s);
      }
      .line:hover {
        background: var(--hover);
      }
      .line:focus-visible {
        box-shadow: inset 0 0 0 2px var(--accent);
        border-radius: var(--r-s);
      }
      li + li {
        border-top: 1px solid var(--line);
      }
      .name {
        font-weight: 600;
        font-size: var(--t-m);
      }
      .turn {
        color: var(--soft);
        display: inline-grid;
        transition: rotate 0.12s;
      }
      [aria-expanded="true"] .turn {
        rotate: 90deg;
      }
      .detail {
        padding: 6px 16px 18px 42px;
        display: grid;
        gap: 14px;
        background: var(--sunken);
        border-top: 1px solid var(--line);
      }
      .notes {
        margin-bottom: 14px;
      }
      @container (max-width: 700px) {
        .line {
          grid-template-columns: 14px minmax(0, 1fr) auto;
        }
        .mode,
        .why {
          grid-column: 2 / -1;
        }
        .mode:not(:has(.tag)),
        .why:not(.said) {
          display: none;
        }
        .detail {
          padding-inline: 14px;
        }
      }
    `,
  ];

  private declare open: string | null;

  private readonly plugins = new Loaded<Plugins>(this, () => this.client.plugins(), 30_000);

  constructor() {
    super();
    this.open = null;
  }

  protected override served(): void {
    this.plugins.reset();
    void this.plugins.reload();
  }

  protected override render(): TemplateResult {
    const { value, problem } = this.plugins;
    if (!value) {
      return problem
        ? problemNote(problem, "The policies could not be read", () => void this.plugins.reload())
        : html`<div class="panel"><div class="empty">${bones(6)}</div></div>`;
    }
    const troubled = value.plugins.filter((plugin) => !["ready", "ignored"].includes(plugin.state));
    return html`
      <div class="stack notes">
        ${problem ? problemNote(problem, "The policies could not be read again") : nothing}
        ${
          troubled.length
            ? html`<div class="callout bad">${icon("alert")}
                <strong>${count(troubled.length, "policy is", "policies are")} not in force as configured</strong>
                ${troubled.map((plugin) => html`<span><strong>${plugin.name}</strong>: ${plugin.reason ?? plugin.state}</span>`)}
              </div>`
            : nothing
        }
        ${
          value.cache_error
            ? html`<div class="callout warn">${icon("alert")}<strong>Compiled policies can’t be kept</strong><span>${value.cache_error}</span></div>`
            : nothing
        }
      </div>
      ${value.plugins.length ? this.groups(value.plugins) : html`<div class="panel">${empty("rules", "No policies", "None was found in the folders below. Without a precheck nothing may be moved.")}</div>`}
      <p class="tiny soft break">Looked for in ${value.folders.length ? value.folders.map((folder, index) => html`${index ? ", " : ""}<code>${folder}</code>`) : "no folder"}; the last one wins.</p>
    `;
  }

  private groups(plugins: Plugin[]): TemplateResult[] {
    const hooks = new Set([...HOOKS, ...plugins.flatMap((plugin) => plugin.hooks), ""]);
    return [...hooks]
      .map((hook) => ({ hook, of: plugins.filter((plugin) => (plugin.hooks[0] ?? "") === hook) }))
      .filter(({ of }) => of.length)
      .map(
        ({ hook, of }) => html`<section aria-label=${hook || "Without a hook"}>
          <header><h3>${hook ? hook[0]!.toUpperCase() + hook.slice(1) : "Not loaded"}</h3><span class="soft small">${hookSays(hook)}</span></header>
          <ul class="panel">${of.map((plugin) => this.plugin(plugin))}</ul>
        </section>`,
      );
  }

  private plugin(plugin: Plugin): TemplateResult {
    const open = this.open === plugin.name;
    return html`<li>
      <button class="line" aria-expanded=${open} @click=${() => (this.open = open ? null : plugin.name)}>
        <span class="turn">${icon("right")}</span>
        <span class="name ellipsis">${plugin.name}</span>
        <span>${pluginBadge(plugin.state)}</span>
        <span class="mode">${plugin.mode === "enforce" ? html`<span class="soft tiny">enforce</span>` : plugin.mode ? html`<span class="tag">${plugin.mode}</span>` : nothing}</span>
        <span class="why ellipsis soft tiny ${plugin.reason ? "said" : ""}">${plugin.reason ?? (plugin.digest ? html`<code title="SHA-256 of what is in force">${plugin.digest.slice(0, 12)}</code>` : nothing)}</span>
      </button>
      ${open ? this.detail(plugin) : nothing}
    </li>`;
  }

  private detail(plugin: Plugin): TemplateResult {
    return html`<div class="detail">
      ${
        plugin.reason
          ? html`<div class="callout bad">${icon("alert")}<strong>${plugin.reason}</strong>${plugin.remedy ? html`<span>${plugin.remedy}</span>` : nothing}</div>`
          : nothing
      }
      <dl class="facts">
        <dt>Mode</dt><dd>${plugin.mode ?? "not configured"}</dd>
        <dt>Hooks</dt><dd>${plugin.hooks.join(", ") || "none"}</dd>
        ${plugin.file ? html`<dt>File</dt><dd class="mono">${plugin.file}</dd>` : nothing}
        ${plugin.digest ? html`<dt>Digest</dt><dd class="mono">${plugin.digest}</dd>` : nothing}
        ${plugin.built_as ? html`<dt>Built as</dt><dd>${plugin.built_as}</dd>` : nothing}
        <dt>Granted</dt><dd>${plugin.grants.join(", ") || "nothing"}</dd>
        <dt>Imports</dt><dd class="mono">${plugin.imports.join(", ") || "nothing"}</dd>
      </dl>
      <h3>What it decided lately</h3>
      <waypost-decisions class="panel" .plugin=${plugin.name} .base=${this.base} .token=${this.token}></waypost-decisions>
    </div>`;
  }
}

customElements.define("waypost-plugins", WaypostPlugins);
