// The last step before a migration: what would be done and what the rules say, read freshly, and the choices that people make
// most. It begins nothing that the dry run did not allow.

import { css, html, nothing, type TemplateResult } from "lit";
import { Problem } from "../api/client";
import type { Domain, DryRun, NewTask, TaskStatus } from "../api/types";
import { WaypostElement } from "../elements/base";
import { findingStyles } from "../style/findings";
import "./dialog";
import type { WaypostDialog } from "./dialog";
import { expected } from "./expected";
import { findingList, summary } from "./findings";
import { icon } from "./icons";
import { bones, problemNote } from "./small";
import { whyField } from "./why";

export class WaypostMove extends WaypostElement {
  static override properties = {
    domain: { attribute: false },
    to: { type: String },
    plan: { state: true },
    problem: { state: true },
    sending: { state: true },
  };
  static override styles = [
    WaypostElement.styles,
    findingStyles,
    css`
      :host {
        display: contents;
        color-scheme: inherit;
      }
      .tile {
        border: 1px solid var(--line);
        border-radius: var(--r-m);
        padding: 10px 12px;
      }
      .two {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 12px;
      }
      fieldset,
      summary + dl {
        border: 0;
        margin: 10px 0 0;
        padding: 0;
        display: grid;
        gap: 10px;
      }
      input,
      select {
        width: 100%;
      }
      .from {
        white-space: nowrap;
      }
    `,
  ];

  declare domain: Domain;
  declare to: string;
  private declare plan: DryRun | null;
  private declare problem: { attempted: string; problem: Problem } | null;
  private declare sending: boolean;

  private readonly abort = new AbortController();
  private round = 0;
  private why = "";
  private options: NonNullable<NewTask["options"]> = {};
  /** One key for one wish: sending it again after a lost answer begins nothing twice. */
  private key = freshKey();

  constructor() {
    super();
    this.plan = null;
    this.problem = null;
    this.sending = false;
  }

  protected override served(): void {
    void this.look();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.abort.abort();
  }

  private get task(): NewTask {
    return { domain: this.domain.id, from: this.domain.host, to: this.to, options: this.options };
  }

  private async look(): Promise<void> {
    const round = (this.round += 1);
    this.problem = null;
    try {
      const plan = await this.client.dryRun(this.task, this.abort.signal);
      if (round === this.round) this.plan = plan;
    } catch (error) {
      if (this.abort.signal.aborted || round !== this.round) return;
      this.plan = null;
      this.problem = { attempted: "It could not be found out what would be done", problem: Problem.of(error) };
    }
  }

  private async send(): Promise<void> {
    this.sending = true;
    this.problem = null;
    let made: TaskStatus | null = null;
    try {
      made = await this.client.create(this.task, this.key, this.why);
    } catch (error) {
      const problem = Problem.of(error);
      this.problem = { attempted: "The migration was not begun", problem };
      if (problem.unsettled) this.problem.attempted = "It is not known whether the migration was begun";
      // What was refused is settled; another try is another wish.
      else this.key = freshKey();
    }
    this.sending = false;
    if (!made) return;
    this.live.take(made);
    await this.updateComplete;
    this.renderRoot.querySelector<WaypostDialog>("waypost-dialog")?.close();
    this.tell("waypost-created", { task: made.id });
  }

  private set(change: NonNullable<NewTask["options"]>, number?: string): void {
    this.options = { ...this.options, ...change };
    if (number !== undefined && !Number(number)) delete this.options[Object.keys(change)[0] as "max_downtime_ms"];
    this.key = freshKey();
    void this.look();
  }

  protected override render(): TemplateResult {
    const verdict = this.plan?.check.verdicts.find((one) => one.destination === this.to);
    const sum = verdict && summary(verdict);
    const open = Boolean(sum && !sum.refused && this.plan?.plan && !this.plan.plan_error);
    const heading = `${sum?.refused ? "Can’t move" : "Move"} ${this.domain.name} to ${this.to}`;
    return html`<waypost-dialog .heading=${heading} .busy=${this.sending} @done=${() => this.dispatchEvent(new Event("done"))}>
      <div class="stack">
        ${this.problem ? problemNote(this.problem.problem, this.problem.attempted, () => void (open ? this.send() : this.look())) : nothing}
        ${
          verdict && sum
            ? html`<div class="callout ${sum.tone}" role="status">
                  ${icon(sum.icon)}
                  <strong>${sum.refused ? "The rules refuse it" : "The rules allow it"}${sum.why ? html`: ${sum.why}` : nothing}</strong>
                </div>
                ${open ? this.expected(this.plan!) : nothing} ${findingList(verdict)}
                ${this.plan?.touched ? html`<p class="small soft">Nothing was touched${this.plan.touched}.</p>` : nothing}`
            : this.problem
              ? nothing
              : bones(4)
        }
        ${this.plan?.plan_error && !sum?.refused ? html`<p class="toned bad">${this.plan.plan_error}</p>` : nothing}
        ${open ? html`${this.choices()}${whyField(this.why, (why) => (this.why = why), this.sending)}` : nothing}
      </div>
      <button slot="actions" ?disabled=${this.sending} @click=${this.close}>${sum?.refused ? "Close" : "Leave it"}</button>
      ${
        sum?.refused
          ? html`<button slot="actions" @click=${() => void this.look()}>${icon("again")}Check again</button>`
          : html`<button slot="actions" class="primary" ?disabled=${!open || this.sending} @click=${() => void this.send()}>
              ${icon("arrow")}${this.sending ? "Beginning…" : `Move to ${this.to}`}
            </button>`
      }
    </waypost-dialog>`;
  }

  private expected(plan: DryRun): TemplateResult | typeof nothing {
    const { says, from, endless } = expected(plan);
    // Without a transfer there is nothing to be measured.
    if (plan.plan?.mode !== "live" && !plan.prediction && !plan.writing) return nothing;
    return html`<div class="tile small" role="group" aria-label="Expected">
      <span class="soft">Expected:</span>
      <strong class=${endless ? "toned warn" : ""}>${says}</strong>
      ${from ? html`<span class="soft">${from}</span>` : nothing}
    </div>`;
  }

  private choices(): TemplateResult {
    const { choices, plan } = this.plan!;
    const { stream, priority } = this.options;
    const live = plan?.mode === "live";
    return html`
      <details class="tile small">
        <summary><strong>Choices</strong> <span class="soft">limits, post-copy, priority</span></summary>
        <fieldset class="stack">
          <legend class="hidden">Choices</legend>
          <div class="two">
            <label class="field">Most downtime, ms<input type="number" min="1" max="2000000" placeholder="default"
              .value=${String(this.options.max_downtime_ms ?? "")}
              @change=${(event: Event) => {
                const { value } = event.target as HTMLInputElement;
                this.set({ max_downtime_ms: Number(value) }, value);
              }} /></label>
            <label class="field">Bandwidth, MiB/s<input type="number" min="1" placeholder="no limit"
              .value=${String(this.options.bandwidth_mib_s ?? "")}
              @change=${(event: Event) => {
                const { value } = event.target as HTMLInputElement;
                this.set({ bandwidth_mib_s: Number(value) }, value);
              }} /></label>
            <label class="field">Priority<select
              @change=${(event: Event) => this.set({ priority: (event.target as HTMLSelectElement).value })}>
              ${["low", "normal", "high"].map(
                (word) => html`<option value=${word} ?selected=${word === (priority ?? "normal")}>${word}</option>`,
              )}
            </select></label>
          </div>
          ${
            live
              ? html`<label class="tick"><input type="checkbox" .checked=${Boolean(stream?.post_copy)}
                    @change=${(event: Event) =>
                      this.set({ stream: { ...stream, post_copy: (event.target as HTMLInputElement).checked } })} />
                    <span>Allow post-copy<br /><span class="soft">Ends every transfer, but the guest is lost if the way breaks
                    in the middle of it.</span></span></label>
                  <label class="tick"><input type="checkbox" .checked=${Boolean(stream?.auto_converge)}
                    @change=${(event: Event) =>
                      this.set({ stream: { ...stream, auto_converge: (event.target as HTMLInputElement).checked } })} />
                    <span>Slow the guest down while it dirties too fast</span></label>`
              : nothing
          }
        </fieldset>
      </details>
      ${
        choices.length
          ? html`<details class="tile small">
              <summary><strong>Plan</strong> <span class="soft">every choice, and where it comes from</span></summary>
              <dl class="facts">
                ${choices.map(
                  (choice) => html`<dt>${choice.choice.replaceAll("-", " ")}</dt>
                    <dd>${choice.words} <span class="tiny soft from">(${choice.from.replaceAll("-", " ")})</span></dd>`,
                )}
              </dl>
            </details>`
          : nothing
      }
    `;
  }

  private readonly close = () => this.renderRoot.querySelector<WaypostDialog>("waypost-dialog")?.close();
}

/** `randomUUID` is there in secure contexts only. */
function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

customElements.define("waypost-move", WaypostMove);
