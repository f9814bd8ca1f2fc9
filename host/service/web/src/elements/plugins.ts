// <waypost-plugins>: the policies of the service: what each is asked, whether it is in force, what it decided lately, and, for
// whoever may, uploads, switches and settings. Attributes: `readonly`.

import { css, html, nothing, type TemplateResult } from "lit";
import { Problem } from "../api/client";
import type { Plugin, Plugins, Whoami } from "../api/types";
import { Loaded } from "../live/loaded";
import { fate, mayChange } from "../live/policies";
import "../parts/dialog";
import type { WaypostDialog } from "../parts/dialog";
import { icon } from "../parts/icons";
import "../parts/settings";
import { bones, empty, pluginBadge, problemNote } from "../parts/small";
import "../parts/upload";
import { whyField } from "../parts/why";
import { count } from "../text/format";
import { hookSays } from "../text/words";
import { WaypostElement } from "./base";
import "./decisions";

/** In the order in which a migration asks them. */
const HOOKS = ["transform", "precheck", "placement", "convergence", "recovery"];

export class WaypostPlugins extends WaypostElement {
  static override properties = {
    readonly: { type: Boolean },
    open: { state: true },
    busy: { state: true },
    failed: { state: true },
    leaving: { state: true },
    why: { state: true },
  };
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

  declare readonly: boolean;
  private declare open: string | null;
  private declare busy: boolean;
  /** A change that came to a problem, of which policy. */
  private declare failed: { plugin: string; attempted: string; problem: Problem } | null;
  /** The one that is about to be asked no more, and how. */
  private declare leaving: { plugin: Plugin; how: "deleted" | "switched off" } | null;
  /** Why the policy that is open is changed. */
  private declare why: string;

  private readonly who = new Loaded<Whoami>(this, () => this.live.know());
  private readonly plugins = new Loaded<Plugins>(this, () => this.client.plugins(), 30_000);

  constructor() {
    super();
    this.readonly = false;
    this.open = null;
    this.busy = false;
    this.failed = null;
    this.leaving = null;
    this.why = "";
  }

  protected override served(): void {
    this.plugins.reset();
    this.who.reset();
    void this.plugins.reload();
    void this.who.reload();
  }

  private get may(): boolean {
    return !this.readonly && mayChange(this.who.value).may;
  }

  private async change(plugin: Plugin, done: string, ask: () => Promise<unknown>): Promise<void> {
    this.busy = true;
    this.failed = null;
    try {
      await ask();
      this.why = "";
    } catch (error) {
      const problem = Problem.of(error);
      this.failed = { plugin: plugin.name, attempted: fate(problem, "it was", done), problem };
    }
    this.busy = false;
    await this.plugins.reload();
  }

  protected override render(): TemplateResult {
    const { value, problem } = this.plugins;
    // At once with who may change them: nothing moves when it becomes known.
    if (!value || !(this.who.value || this.who.problem)) {
      return problem
        ? problemNote(problem, "The policies could not be read", () => void this.plugins.reload())
        : html`<div class="panel"><div class="empty">${bones(6)}</div></div>`;
    }
    const troubled = value.plugins.filter((plugin) => !["ready", "ignored"].includes(plugin.state));
    const { may, why } = mayChange(this.who.value);
    return html`
      <div class="stack notes">
        ${
          this.readonly
            ? nothing
            : may
              ? html`<waypost-upload .plugins=${value.plugins} .base=${this.base} .token=${this.token} @changed=${() => void this.plugins.reload()}></waypost-upload>`
              : why
                ? html`<p class="small soft">${why}</p>`
                : nothing
        }
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
      ${this.leaving ? this.last(this.leaving.plugin, this.leaving.how) : nothing}
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
      <button class="line" aria-expanded=${open} @click=${() => this.unfold(open ? null : plugin.name)}>
        <span class="turn">${icon("right")}</span>
        <span class="name ellipsis">${plugin.name}</span>
        <span>${pluginBadge(plugin.state)}</span>
        <span class="mode">${plugin.mode === "enforce" ? html`<span class="soft tiny">enforce</span>` : plugin.mode ? html`<span class="tag">${plugin.mode}</span>` : nothing}</span>
        <span class="why ellipsis soft tiny ${plugin.reason ? "said" : ""}">${plugin.reason ?? (plugin.digest ? html`<code title="SHA-256 of what is in force">${plugin.digest.slice(0, 12)}</code>` : nothing)}</span>
      </button>
      ${open ? this.detail(plugin) : nothing}
    </li>`;
  }

  private unfold(name: string | null): void {
    this.open = name;
    this.why = "";
  }

  private changed(): void {
    this.why = "";
    void this.plugins.reload();
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
        ${plugin.version ? html`<dt>Version</dt><dd>${plugin.version}</dd>` : nothing}
        ${plugin.switched_by && !plugin.enabled ? html`<dt>Switched off</dt><dd>${plugin.switched_by === "service" ? "over the service" : "by the configuration"}</dd>` : nothing}
        <dt>Granted</dt><dd>${plugin.grants.join(", ") || "nothing"}</dd>
        <dt>Imports</dt><dd class="mono">${plugin.imports.join(", ") || "nothing"}</dd>
      </dl>
      ${this.failed?.plugin === plugin.name ? problemNote(this.failed.problem, this.failed.attempted) : nothing}
      ${this.may && plugin.etag ? html`${whyField(this.why, (why) => (this.why = why), this.busy)}${this.controls(plugin)}` : nothing}
      ${
        plugin.etag
          ? html`<h3>Settings</h3>
              <waypost-settings .plugin=${plugin.name} .readonly=${!this.may} .base=${this.base} .token=${this.token}
                .why=${this.why} @changed=${() => this.changed()}></waypost-settings>`
          : nothing
      }
      <h3>What it decided lately</h3>
      <waypost-decisions class="panel" .plugin=${plugin.name} .base=${this.base} .token=${this.token}></waypost-decisions>
    </div>`;
  }

  private controls(plugin: Plugin): TemplateResult {
    const { name, enabled, switched_by: by } = plugin;
    const off = !enabled && by === "configuration" ? "The configuration switches it off." : "";
    const kept = enabled && by === "configuration" ? "The configuration requires it." : "";
    const why = off || kept;
    const press = () => {
      if (why) return;
      // Without a precheck more is allowed, for everybody and at once.
      if (enabled && plugin.hooks.includes("precheck")) this.leaving = { plugin, how: "switched off" };
      else void this.change(plugin, enabled ? "switched off" : "switched on", () => this.client.switchPlugin(name, !enabled, this.why));
    };
    return html`<div class="row">
      <button ?disabled=${this.busy} aria-disabled=${why ? "true" : "false"} title=${why || nothing} @click=${press}>
        ${icon(enabled ? "stop" : "check")}${enabled ? "Switch off" : "Switch on"}<span class="hidden"> ${name}</span>
      </button>
      ${
        plugin.uploaded
          ? html`<button class="danger" ?disabled=${this.busy} @click=${() => (this.leaving = { plugin, how: "deleted" })}>
              ${icon("cross")}Delete<span class="hidden"> ${name}</span>
            </button>`
          : nothing
      }
      ${why ? html`<span class="small soft">${why}</span>` : nothing}
    </div>`;
  }

  /** The last step before an upload is gone, or a precheck is asked no more. */
  private last(plugin: Plugin, how: "deleted" | "switched off"): TemplateResult {
    const { name } = plugin;
    const gone = how === "deleted";
    const label = gone ? "Delete" : "Switch off";
    const close = () => this.renderRoot.querySelector<WaypostDialog>("waypost-dialog")?.close();
    const go = async () => {
      await this.change(plugin, how, () =>
        gone ? this.client.deletePlugin(name, plugin.etag ?? "", this.why) : this.client.switchPlugin(name, false, this.why),
      );
      close();
    };
    return html`<waypost-dialog heading="${label} ${name}" .busy=${this.busy} @done=${() => (this.leaving = null)}>
      ${
        gone
          ? html`<p class="small">The next decision is made without it, and the settings that were made for it over the service go with it. Where a
              plugin folder has a file of its name, that one is asked again.</p>`
          : html`<p class="small">The next decision is made without it: what it refuses now, for any domain and any host, nobody refuses then. It stays,
              with its settings, and can be switched on again.</p>`
      }
      <button slot="actions" ?disabled=${this.busy} @click=${close}>Keep it</button>
      <button slot="actions" class="danger primary" ?disabled=${this.busy} @click=${() => void go()}>
        ${icon(gone ? "cross" : "stop")}${label}
      </button>
    </waypost-dialog>`;
  }
}

customElements.define("waypost-plugins", WaypostPlugins);
