// The settings of one policy, in a field: what the policy refuses is said in its words, and what somebody else changed meanwhile
// is shown before anything of it is overwritten.

import { css, html, nothing, type TemplateResult } from "lit";
import { Problem, type Tagged } from "../api/client";
import type { PluginSettings } from "../api/types";
import { WaypostElement } from "../elements/base";
import { differences, fate, read, shown, written } from "../live/policies";
import { icon } from "./icons";
import { bones, problemNote } from "./small";

export class WaypostSettings extends WaypostElement {
  static override properties = {
    plugin: { type: String },
    readonly: { type: Boolean },
    why: { attribute: false },
    known: { state: true },
    theirs: { state: true },
    unsure: { state: true },
    text: { state: true },
    problem: { state: true },
    busy: { state: true },
    done: { state: true },
  };
  static override styles = [
    WaypostElement.styles,
    css`
      :host {
        color-scheme: inherit;
      }
      textarea {
        font: 400 var(--t-s) / 1.5 var(--mono);
        color: inherit;
        background: var(--raised);
        border: 1px solid color-mix(in srgb, var(--line-strong) 55%, var(--line));
        border-radius: var(--r-s);
        padding: 8px 10px;
        width: 100%;
        min-height: 7.5rem;
        resize: vertical;
        tab-size: 2;
      }
      textarea[aria-invalid="true"] {
        border-color: var(--bad);
      }
      pre {
        margin: 0;
        font: 400 var(--t-s) / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .said {
        min-height: 1.4em;
      }
    `,
  ];

  declare plugin: string;
  declare readonly: boolean;
  /** Why they are changed, as it was entered for the policy. */
  declare why: string;
  private declare known: Tagged<PluginSettings> | null;
  /** What is there now, where it is not what was known. */
  private declare theirs: Tagged<PluginSettings> | null;
  /** A change was sent of which it is not known whether it was made: what is there now may be one's own. */
  private declare unsure: boolean;
  private declare text: string;
  private declare problem: { attempted: string; problem: Problem } | null;
  private declare busy: boolean;
  private declare done: string;

  constructor() {
    super();
    this.readonly = false;
    this.why = "";
    this.known = null;
    this.theirs = null;
    this.unsure = false;
    this.text = "";
    this.problem = null;
    this.busy = false;
    this.done = "";
  }

  protected override served(): void {
    void this.look();
  }

  private async look(): Promise<void> {
    try {
      this.take(await this.client.settings(this.plugin));
    } catch (error) {
      this.problem = { attempted: "The settings could not be read", problem: Problem.of(error) };
    }
  }

  private take(known: Tagged<PluginSettings>): void {
    // What was known before says nothing of what was sent since.
    if (known !== this.known) this.unsure = false;
    this.known = known;
    this.theirs = null;
    this.problem = null;
    this.text = written(known.value.settings ?? {});
  }

  /** Sends a change that names what it changes. */
  private async send(
    change: (tag: string) => Promise<Tagged<PluginSettings>>,
    tag: string,
    word: string,
    done: string,
  ): Promise<void> {
    this.busy = true;
    this.problem = null;
    this.done = "";
    try {
      this.take(await change(tag));
      this.done = done;
      this.dispatchEvent(new Event("changed"));
    } catch (error) {
      const problem = Problem.of(error);
      if (problem.code === "changed-meanwhile") await this.compare();
      else this.problem = { attempted: fate(problem, "the settings were", word), problem };
      if (problem.unsettled) await this.seek(tag);
    }
    this.busy = false;
  }

  /** Looks whether what was sent is there after all, or something else is. Where it is as before, that may still come. */
  private async seek(tag: string): Promise<void> {
    this.unsure = true;
    const now = await this.client.settings(this.plugin).catch(() => null);
    if (now && now.tag !== tag) this.theirs = now;
  }

  private async compare(): Promise<void> {
    try {
      this.theirs = await this.client.settings(this.plugin);
    } catch (error) {
      this.problem = { attempted: "They were changed meanwhile, and could not be read again", problem: Problem.of(error) };
    }
  }

  private save(tag: string): void {
    const typed = read(this.text);
    if ("wrong" in typed) return;
    void this.send((tag) => this.client.putSettings(this.plugin, typed.settings, tag, this.why), tag, "saved", "Saved. The next decision uses them.");
  }

  protected override render(): TemplateResult {
    const { known, problem, readonly } = this;
    if (!known) return problem ? problemNote(problem.problem, problem.attempted, () => void this.look()) : bones(3);
    const { by, configured, schema, settings, keys } = known.value;
    const from = by === "service" ? "Made over the service" : by === "configuration" ? "From the configuration" : "None were made";
    const typed = read(this.text);
    const wrong = "wrong" in typed ? typed.wrong : "";
    const same = !wrong && "settings" in typed && differences(settings ?? {}, typed.settings).length === 0;
    return html`<div class="stack">
      <p class="small soft">${from}.${by === "service" && configured ? " They go before those of the configuration." : nothing}</p>
      ${
        readonly
          ? html`<pre tabindex="0" role="group" aria-label="Settings of ${this.plugin}">${settings ? written(settings) : keys.join("\n") || "none"}</pre>
              ${settings ? nothing : html`<p class="tiny soft">What they say is shown to whoever may change policies.</p>`}`
          : html`<label class="field"><span>Settings of ${this.plugin}, JSON</span>
              <textarea
                spellcheck="false"
                autocomplete="off"
                aria-invalid=${wrong ? "true" : "false"}
                aria-describedby="wrong"
                .value=${this.text}
                ?disabled=${this.busy}
                @input=${(event: Event) => {
                  this.text = (event.target as HTMLTextAreaElement).value;
                  this.done = "";
                }}
              ></textarea></label>
            <p id="wrong" class="small said toned bad" role="status">${wrong || nothing}</p>`
      }
      ${this.theirs ? this.conflict(this.theirs) : nothing}
      ${problem ? problemNote(problem.problem, problem.attempted) : nothing}
      ${
        readonly
          ? nothing
          : html`<div class="row">
              <button class="primary" ?disabled=${this.busy || Boolean(wrong) || same || Boolean(this.theirs)} @click=${() => this.save(known.tag)}>
                ${icon("check")}${this.busy ? "Asking the policy…" : "Save"}
              </button>
              <button ?disabled=${this.busy || (same && !wrong)} @click=${() => this.take(known)}>Undo</button>
              ${
                by === "service"
                  ? html`<button ?disabled=${this.busy} @click=${() => void this.send((tag) => this.client.forgetSettings(this.plugin, tag, this.why), known.tag, "taken back", "Taken back. Those of the configuration are in force.")}>
                      ${icon("back")}${configured ? "Use the configuration’s" : "Take them back"}
                    </button>`
                  : nothing
              }
              <span class="small soft" role="status">${this.done}</span>
            </div>`
      }
      ${
        schema
          ? html`<details class="small"><summary>What the policy says of its settings</summary><pre tabindex="0" role="group" aria-label="JSON Schema of the settings of ${this.plugin}">${JSON.stringify(schema, null, 2)}</pre></details>`
          : nothing
      }
    </div>`;
  }

  private conflict(theirs: Tagged<PluginSettings>): TemplateResult {
    const changed = differences(this.known!.value.settings ?? {}, theirs.value.settings ?? {});
    return html`<div class="callout warn" role="alert">
      ${icon("alert")}
      <strong>${
        this.unsure
          ? "These settings were changed meanwhile, by you or by somebody else."
          : "Somebody else changed these settings meanwhile. Nothing of yours was saved."
      }</strong>
      ${
        changed.length
          ? html`<dl class="facts">
              ${changed.map(({ key, before, after }) => html`<dt><code>${key}</code></dt><dd><code>${shown(before)}</code> became <code>${shown(after)}</code></dd>`)}
            </dl>`
          : html`<span>They are the same as before, and come from elsewhere now.</span>`
      }
      <span class="row">
        <button ?disabled=${this.busy} @click=${() => this.take(theirs)}>${this.unsure ? "Take what is there" : "Take theirs"}</button>
        <button class="danger" ?disabled=${this.busy} @click=${() => this.save(theirs.tag)}>${this.unsure ? "Save mine over it" : "Save mine over theirs"}</button>
      </span>
    </div>`;
  }
}

customElements.define("waypost-settings", WaypostSettings);
