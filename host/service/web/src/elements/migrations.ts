// <waypost-migrations>: the list of migrations, those that run and those that are over.
//
// Attributes: `state` (`unfinished`, outcomes, separated by commas), `domain`, `host` narrow it, and are then not offered for
// choice; `limit` (rows on a page); `link` (a URL with `{id}`: each row leads there; without it a row opens in its place).
// `compact` is for narrow places; `mute` for a second list of a page, so that what ends is not said aloud twice.

import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { Problem } from "../api/client";
import { fromBrief, newestFirst, renewed, standing, type Task } from "../live/tasks";
import { seesAll } from "../live/who";
import { icon } from "../parts/icons";
import { bones, empty, progress, standingBadge, when } from "../parts/small";
import { bytes, duration, percent, rate } from "../text/format";
import { placeSays, standingMark } from "../text/words";
import { WaypostElement } from "./base";
import "./migration";

const OUTCOMES = ["completed", "refused", "rolled-back", "cancelled", "stuck", "lost"];

export class WaypostMigrations extends WaypostElement {
  static override properties = {
    state: { type: String },
    domain: { type: String },
    host: { type: String },
    limit: { type: Number },
    link: { type: String },
    compact: { type: Boolean, reflect: true },
    mute: { type: Boolean },
    chosen: { state: true },
    sought: { state: true },
    open: { state: true },
    more: { state: true },
    problem: { state: true },
  };
  static override styles = [
    WaypostElement.styles,
    css`
      .tools {
        padding: 10px 12px;
        border-bottom: 1px solid var(--line);
      }
      .list:not([hidden]) {
        min-height: 56px;
      }
      .task {
        border-bottom: 1px solid var(--line);
      }
      .task:last-child {
        border-bottom: 0;
      }
      .line {
        all: unset;
        box-sizing: border-box;
        width: 100%;
        padding: 9px 14px;
        min-height: 46px;
        cursor: pointer;
        font-size: var(--t-s);
      }
      .line,
      .heads {
        display: grid;
        grid-template-columns: minmax(9rem, 1fr) minmax(8rem, 0.8fr) 11rem minmax(9rem, 2.2fr) 7.5rem;
        gap: 2px 14px;
        align-items: center;
      }
      .heads {
        padding: 6px 14px;
        border-bottom: 1px solid var(--line);
        color: var(--soft);
        font-size: var(--t-xs);
        font-weight: 550;
      }
      .heads[hidden] {
        display: none;
      }
      .line:hover {
        background: var(--hover);
      }
      .line:focus-visible {
        box-shadow: inset 0 0 0 2px var(--accent);
        border-radius: var(--r-s);
      }
      .name {
        font-weight: 600;
        font-size: var(--t-m);
      }
      .way {
        display: flex;
        gap: 6px;
        align-items: center;
      }
      .way svg {
        color: var(--soft);
        font-size: 12px;
      }
      .time {
        text-align: end;
      }
      .figures {
        display: grid;
        gap: 4px;
        min-width: 0;
      }
      .detail {
        padding: 4px 14px 16px;
        background: var(--sunken);
        border-top: 1px solid var(--line);
      }
      .foot {
        padding: 8px;
        text-align: center;
        border-top: 1px solid var(--line);
      }
      .margin {
        margin: 10px 12px;
      }
      .margin:not(:has(> *)) {
        display: none;
      }
      :host([compact]) .line {
        grid-template-columns: minmax(0, 1fr) auto;
        min-height: 74px;
        padding: 9px 12px;
      }
      :host([compact]) .figures {
        grid-column: 1 / -1;
      }
      :host([compact]) .time {
        display: none;
      }
      :host([compact]) .state {
        grid-row: 1;
        grid-column: 2;
        justify-self: end;
      }
      :host([compact]) .way {
        grid-column: 1 / -1;
      }
      @container (max-width: 760px) {
        .heads {
          display: none;
        }
        .line {
          grid-template-columns: minmax(0, 1fr) auto;
          padding: 10px 12px;
        }
        .state {
          grid-row: 1;
          grid-column: 2;
          justify-self: end;
        }
        .figures {
          grid-column: 1 / -1;
        }
        .time {
          grid-row: 2;
          grid-column: 2;
        }
      }
    `,
  ];

  declare state: string | null;
  declare domain: string | null;
  declare host: string | null;
  declare limit: number;
  declare link: string | null;
  declare compact: boolean;
  declare mute: boolean;
  /** Chosen here: `""`, `unfinished`, an outcome. */
  private declare chosen: string;
  private declare sought: string;
  private declare open: string | null;
  private declare more: boolean;
  private declare problem: Problem | null;

  /** Rows of older pages, and of a narrowed list; what the events say of them goes before. */
  private older: Task[] = [];
  private cursor: string | null = null;
  private asked = "";
  private loading = false;
  private running = new Set<string>();
  private said = "";

  constructor() {
    super();
    this.limit = 50;
    this.compact = false;
    this.mute = false;
    this.chosen = "";
    this.sought = "";
    this.open = null;
    this.more = false;
    this.problem = null;
  }

  protected override get follows(): boolean {
    return true;
  }

  protected override served(): void {
    this.asked = "";
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    const asked = JSON.stringify([this.live.era, this.states, this.domain, this.host, this.sought]);
    // What is known now may be forgotten before this page is left, and the row as it was read must not come back then.
    this.older = renewed(this.older, this.live.tasks, this.live.gone);
    if (asked === this.asked) return;
    this.asked = asked;
    this.older = [];
    this.cursor = null;
    void this.load();
  }

  protected override back(): void {
    if (this.problem) void this.load();
  }

  private get states(): string[] {
    const words = this.state || this.chosen;
    return words ? words.split(",").map((word) => word.trim()) : [];
  }

  /** Reads the next page. */
  private async load(): Promise<void> {
    const asked = this.asked;
    this.loading = true;
    this.problem = null;
    try {
      const page = await this.client.tasks({
        states: this.states,
        limit: this.limit,
        ...(this.domain || this.sought ? { domain: this.domain || this.sought } : {}),
        ...(this.host ? { host: this.host } : {}),
        ...(this.cursor ? { cursor: this.cursor } : {}),
      });
      if (asked !== this.asked) return;
      const known = new Set(this.older.map((task) => task.id));
      this.older.push(...page.tasks.filter((brief) => !known.has(brief.id)).map((brief) => fromBrief(brief)));
      this.cursor = page.next;
      this.more = page.next !== null;
    } catch (error) {
      if (asked === this.asked) this.problem = Problem.of(error);
    }
    this.loading = false;
    this.requestUpdate();
  }

  private fits(task: Task): boolean {
    const states = this.states;
    return this.concerns(task) && (!states.length || states.includes(task.ended ?? "unfinished") || states.includes(task.phase));
  }

  /** Whether it is of the domain and the host that the list is of. */
  private concerns(task: Task): boolean {
    const domain = this.domain || this.sought;
    return (
      (!domain || task.domain === domain || task.domainId === domain) &&
      (!this.host || task.source === this.host || task.destination === this.host)
    );
  }

  private get tasks(): Task[] {
    const all = new Map(this.older.map((task) => [task.id, task]));
    const last = this.older.at(-1);
    for (const task of this.live.tasks.values()) {
      // What is older than the last page belongs to the next.
      if (!this.more || !last || newestFirst(task, last) <= 0 || all.has(task.id)) all.set(task.id, task);
    }
    const tasks = [...all.values()].filter((task) => this.fits(task)).sort(newestFirst);
    return this.compact ? tasks.slice(0, this.limit) : tasks;
  }

  /** Says aloud which migration ended how: of those that the list showed until then, or shows from then on. */
  private follow(tasks: Task[]): void {
    const ended = tasks.filter((task) => task.ended && this.running.has(task.id) && this.concerns(task) && this.tellsOf(task.ended));
    if (ended.length && !this.mute) this.said = ended.map((task) => `${task.domain}: ${standingMark(task.ended!).label}`).join(". ");
    this.running = new Set(tasks.filter((task) => !task.ended).map((task) => task.id));
  }

  /** A list of outcomes alone tells of those. One of a phase, or of all that are unfinished, tells how what it showed ended. */
  private tellsOf(end: string): boolean {
    const states = this.states;
    return !states.length || states.some((word) => word === end || !OUTCOMES.includes(word));
  }

  protected override render(): TemplateResult {
    const tasks = this.tasks;
    this.follow([...this.live.tasks.values()]);
    return html`<section class="panel" aria-label=${this.state === "unfinished" ? "Migrations under way" : "Migrations"}>
      <span class="hidden" role="status">${this.said}</span>
      ${this.compact ? nothing : this.tools()}
      <div class="margin">${this.linkNote()}</div>
      ${this.problem && !this.live.listed ? nothing : this.problem ? html`<div class="margin">${this.problemNote(this.problem, "The migrations could not be read", () => void this.load())}</div>` : nothing}
      ${
        this.compact
          ? nothing
          : html`<div class="heads" aria-hidden="true" ?hidden=${!tasks.length}>
              <span>Domain</span><span>From and to</span><span>State</span><span>How far, or what came of it</span><span class="time">Begun</span>
            </div>`
      }
      <ul class="list" ?hidden=${!tasks.length}>
        ${repeat(tasks, (task) => task.id, (task) => this.line(task))}
      </ul>
      ${tasks.length ? nothing : this.nothing()}
      ${
        this.more && !this.compact
          ? html`<div class="foot"><button class="quiet" ?disabled=${this.loading} @click=${() => void this.load()}>
              ${this.loading ? "Reading…" : "Older migrations"}
            </button></div>`
          : nothing
      }
    </section>`;
  }

  private nothing(): TemplateResult {
    if (this.loading || (!this.live.listed && !this.problem)) return html`<div class="margin">${bones(3)}</div>`;
    if (this.problem) return empty("unlinked", "Not known", "The service does not answer.");
    if (this.state === "unfinished") return empty("moves", "Nothing is moving", "A migration that begins appears here.");
    if (this.state) return empty("moves", "None yet", "A migration that ends appears here.");
    return this.chosen || this.sought
      ? empty("search", "No such migration", "None fits what is chosen above.")
      : empty("moves", "No migrations yet", "Those that begin, here or by the command, appear at once.");
  }

  private tools(): TemplateResult {
    return html`<div class="tools row">
      ${
        this.state
          ? nothing
          : html`<label><span class="hidden">State</span>
              <select @change=${(event: Event) => (this.chosen = (event.target as HTMLSelectElement).value)}>
                <option value="">All states</option>
                <option value="unfinished">Under way</option>
                ${OUTCOMES.map((word) => html`<option value=${word}>${standingMark(word).label}</option>`)}
              </select></label>`
      }
      ${
        this.domain
          ? nothing
          : html`<label><span class="hidden">Domain</span>
              <input type="search" placeholder="Domain, exact name or UUID" .value=${this.sought}
                @change=${(event: Event) => (this.sought = (event.target as HTMLInputElement).value.trim())} /></label>`
      }
    </div>`;
  }

  private line(task: Task): TemplateResult {
    const open = this.open === task.id;
    const inner = this.cells(task);
    return html`<li class="task">
      ${
        this.link
          ? html`<a class="line" href=${this.link.replace("{id}", encodeURIComponent(task.id))} @click=${(event: Event) => this.choose(event, task)}>${inner}</a>`
          : html`<button class="line" aria-expanded=${open} @click=${(event: Event) => this.choose(event, task)}>${inner}</button>`
      }
      ${
        open && !this.link
          ? html`<div class="detail"><waypost-migration .task=${task.id} .base=${this.base} .token=${this.token} bare></waypost-migration></div>`
          : nothing
      }
    </li>`;
  }

  private choose(event: Event, task: Task): void {
    if (!this.tell("waypost-open", { task: task.id })) event.preventDefault();
    else if (!this.link) this.open = this.open === task.id ? null : task.id;
  }

  private cells(task: Task): TemplateResult {
    const word = standing(task);
    const mark = standingMark(word);
    return html`<span class="name ellipsis" title=${task.domain}>${task.domain}</span>
      <span class="way soft"><span class="ellipsis">${task.source ?? "…"}</span>${icon("arrow")}<span class="hidden">to</span><span class="ellipsis">${task.destination}</span></span>
      <span class="state">${standingBadge(word, task.attempt > 1 && !task.ended ? `· attempt ${task.attempt}` : "")}</span>
      <span class="figures">
        ${
          task.ended
            ? html`<span class="ellipsis soft tiny" title=${task.message ?? ""}>${task.message ?? `took ${took(task)}`}</span>`
            : task.queued
              ? html`<span class="ellipsis soft tiny" title=${task.message ?? ""}>${[this.place(task), task.message].filter(Boolean).join(" · ")}</span>`
              : html`${progress(task.progress, mark.tone, `Progress of ${task.domain}`)}
                  <span class="tiny soft ellipsis">${percent(task.progress)}${this.figures(task)}</span>`
        }
      </span>
      <span class="time soft tiny">${when(task.createdAt)}</span>`;
  }

  private place(task: Task): string {
    const says = placeSays(task.place, seesAll(this.live.who) ? this.live.waiting : null);
    return says.charAt(0).toUpperCase() + says.slice(1);
  }

  private figures(task: Task): string {
    const sample = task.sample;
    if (!sample) return task.message ? ` · ${task.message}` : "";
    const parts = [`${bytes(sample.remaining_bytes)} left`];
    if (sample.bytes_per_s) parts.push(rate(sample.bytes_per_s));
    if (sample.remaining_ms !== null) parts.push(`about ${duration(sample.remaining_ms)}`);
    return ` · ${parts.join(" · ")}`;
  }
}

function took(task: Task): string {
  return duration(Math.max(0, Date.parse(task.updatedAt) - Date.parse(task.createdAt)));
}

customElements.define("waypost-migrations", WaypostMigrations);
