// A policy's file, chosen or dropped, and the last step before it is sent: under which name, in the place of what, switched on or not.

import { css, html, nothing, type TemplateResult } from "lit";
import { Problem } from "../api/client";
import type { Plugin } from "../api/types";
import { WaypostElement } from "../elements/base";
import { badFile, badName, fate, nameOf } from "../live/policies";
import { bytes } from "../text/format";
import "./dialog";
import type { WaypostDialog } from "./dialog";
import { icon } from "./icons";
import { problemNote } from "./small";
import { whyField } from "./why";

export class WaypostUpload extends WaypostElement {
  static override properties = {
    plugins: { attribute: false },
    file: { state: true },
    name: { state: true },
    off: { state: true },
    why: { state: true },
    over: { state: true },
    wrong: { state: true },
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
      .drop {
        display: flex;
        flex-wrap: wrap;
        gap: 6px 12px;
        align-items: center;
        padding: 12px 14px;
        border: 1px dashed var(--line-strong);
        border-radius: var(--r-m);
        font-size: var(--t-s);
      }
      .drop.over {
        border-color: var(--accent);
        background: var(--hover);
      }
      .button:focus-within {
        box-shadow: var(--ring);
      }
      input[type="text"] {
        width: 100%;
      }
    `,
  ];

  /** Those that are there, so that it can be said what is replaced. */
  declare plugins: Plugin[];
  private declare file: File | null;
  private declare name: string;
  private declare off: boolean;
  private declare why: string;
  private declare over: boolean;
  private declare wrong: string;
  private declare problem: Problem | null;
  private declare busy: boolean;
  private declare done: string;

  constructor() {
    super();
    this.plugins = [];
    this.file = null;
    this.name = "";
    this.off = false;
    this.why = "";
    this.over = false;
    this.wrong = "";
    this.problem = null;
    this.busy = false;
    this.done = "";
  }

  private async take(file: File | undefined): Promise<void> {
    if (!file) return;
    this.done = "";
    this.problem = null;
    this.wrong = badFile(new Uint8Array(await file.slice(0, 8).arrayBuffer()));
    if (this.wrong) return;
    this.name = nameOf(file.name);
    this.off = false;
    this.why = "";
    this.file = file;
  }

  /** The policy that would be replaced. */
  private get there(): Plugin | undefined {
    return this.plugins.find((plugin) => plugin.name === this.name && plugin.etag);
  }

  private async send(): Promise<void> {
    const { file, name, there, off } = this;
    if (!file || badName(name)) return;
    this.busy = true;
    this.problem = null;
    try {
      await this.client.putPlugin(name, file, there?.etag ?? null, !off, this.why);
    } catch (error) {
      this.problem = Problem.of(error);
      this.busy = false;
      // What is there now is to be seen: what somebody else has put there, or this one after all.
      if (this.problem.code === "changed-meanwhile" || this.problem.unsettled) this.dispatchEvent(new Event("changed"));
      return;
    }
    this.busy = false;
    this.done = there ? `${name} was replaced.` : `${name} was uploaded.`;
    await this.updateComplete;
    this.renderRoot.querySelector<WaypostDialog>("waypost-dialog")?.close();
    this.dispatchEvent(new Event("changed"));
  }

  protected override render(): TemplateResult {
    return html`
      <div
        class="drop ${this.over ? "over" : ""}"
        @dragover=${(event: DragEvent) => {
          event.preventDefault();
          this.over = true;
        }}
        @dragleave=${() => (this.over = false)}
        @drop=${(event: DragEvent) => {
          event.preventDefault();
          this.over = false;
          void this.take(event.dataTransfer?.files[0]);
        }}
      >
        <label class="button">${icon("rules")}Upload a policy
          <input
            class="hidden"
            type="file"
            accept=".wasm,application/wasm"
            @change=${(event: Event) => {
              const input = event.target as HTMLInputElement;
              void this.take(input.files?.[0]);
              // The same file may be chosen again after it was mended.
              input.value = "";
            }}
        /></label>
        <span class="soft">or drop its .wasm here. It is tried before it counts.</span>
        <span class="small" role="status">${this.done}</span>
      </div>
      ${this.wrong ? html`<div class="callout bad" role="alert">${icon("alert")}<strong>${this.wrong}</strong></div>` : nothing}
      ${this.file ? this.last(this.file) : nothing}
    `;
  }

  private last(file: File): TemplateResult {
    const { there, name } = this;
    const wrong = badName(name);
    return html`<waypost-dialog
      .heading=${there ? `Replace ${name}` : "Upload a policy"}
      .busy=${this.busy}
      @done=${() => (this.file = null)}
    >
      <div class="stack">
        <p class="small break">${file.name}, ${bytes(file.size)}</p>
        <label class="field">Name<input
          type="text"
          spellcheck="false"
          autocomplete="off"
          maxlength="64"
          aria-invalid=${wrong ? "true" : "false"}
          aria-describedby="wrong"
          .value=${name}
          ?disabled=${this.busy}
          @input=${(event: Event) => (this.name = (event.target as HTMLInputElement).value.trim())}
        /></label>
        <p id="wrong" class="small toned bad" role="status">${wrong || nothing}</p>
        ${
          there
            ? html`<div class="callout warn">${icon("alert")}
                <strong>${there.uploaded ? "It takes the place of the one that was uploaded before" : "It goes before the file of a plugin folder"}</strong>
                <span>${there.uploaded ? "That one is gone then." : "That one is asked again when the upload is deleted."}</span>
              </div>`
            : html`<label class="tick"><input type="checkbox" .checked=${this.off} ?disabled=${this.busy}
                @change=${(event: Event) => (this.off = (event.target as HTMLInputElement).checked)} />
                <span>Leave it switched off<br /><span class="soft">For one that wants settings first.</span></span></label>`
        }
        ${whyField(this.why, (why) => (this.why = why), this.busy)}
        <p class="small soft">It may do what the configuration grants to its name, and nothing else.</p>
        ${this.problem ? problemNote(this.problem, fate(this.problem, "the policy was", "put down")) : nothing}
      </div>
      <button slot="actions" ?disabled=${this.busy} @click=${this.close}>Leave it</button>
      <button slot="actions" class="primary" ?disabled=${this.busy || Boolean(wrong)} @click=${() => void this.send()}>
        ${icon("check")}${this.busy ? "Trying it…" : there ? "Replace" : "Upload"}
      </button>
    </waypost-dialog>`;
  }

  private readonly close = () => this.renderRoot.querySelector<WaypostDialog>("waypost-dialog")?.close();
}

customElements.define("waypost-upload", WaypostUpload);
