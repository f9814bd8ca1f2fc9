// <waypost-migration id="TASK">: one migration, from its request to its end: how far it is, its course as a plot, what a person
// may do about it, what rules decided, what was written down. With `bare` it has no frame of its own.

import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { Problem } from "../api/client";
import type { Situation, Side, TaskRecords } from "../api/types";
import { Loaded } from "../live/loaded";
import { standing, type Task } from "../live/tasks";
import { commands, seesAll } from "../live/who";
import { type Given, recovery, type Wish, wishes } from "../parts/wishes";
import "../parts/dialog";
import { figures } from "../parts/figures";
import { icon } from "../parts/icons";
import { journal } from "../parts/journal";
import "../parts/plot";
import { bones, progress, standingBadge, when } from "../parts/small";
import { whyField } from "../parts/why";
import { percent } from "../text/format";
import { action, placeSays, plain, standingMark } from "../text/words";
import { WaypostElement } from "./base";
import "./decisions";

/** What is asked about before it is done, and what was entered for it. */
interface Asked {
  wish: Wish;
  /** One of those that depend on how the task stands: it is looked up again as that changes. */
  standing: boolean;
  number: number | null;
  choice: string | null;
  why: string;
}

export class WaypostMigration extends WaypostElement {
  static override properties = {
    task: { type: String, attribute: "id" },
    bare: { type: Boolean, reflect: true },
    asked: { state: true },
    busy: { state: true },
    problem: { state: true },
    said: { state: true },
  };
  static override styles = [
    WaypostElement.styles,
    css`
      .frame {
        padding: 16px 18px 18px;
      }
      :host([bare]) .frame {
        border: 0;
        box-shadow: none;
        background: transparent;
        padding: 10px 0 0;
      }
      .top {
        align-items: flex-start;
        gap: 10px 16px;
      }
      .title {
        display: flex;
        gap: 10px;
        align-items: center;
        flex-wrap: wrap;
      }
      .title svg {
        color: var(--soft);
      }
      /* As high while it runs as when it has ended well: what is below stays where it is. */
      .now {
        min-height: 44px;
        display: grid;
        align-content: center;
      }
      .how {
        display: grid;
        grid-template-columns: 1fr auto;
        gap: 6px 12px;
        align-items: baseline;
      }
      .how .bar {
        grid-column: 1 / -1;
        height: 8px;
      }
      .columns {
        display: grid;
        grid-template-columns: minmax(0, 1.7fr) minmax(250px, 1fr);
        gap: 18px 28px;
        align-items: start;
      }
      @container (max-width: 780px) {
        .columns {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      .columns.even {
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
      }
      @container (max-width: 780px) {
        .columns.even {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      .plots {
        min-height: 500px;
      }
      .figures {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(118px, 1fr));
        gap: 10px 14px;
      }
      .figures dt {
        font-size: var(--t-xs);
        color: var(--soft);
      }
      .figures dd {
        font-size: var(--t-l);
        font-weight: 600;
        white-space: nowrap;
      }
      section {
        display: grid;
        gap: 8px;
      }
      section + section {
        margin-top: 20px;
      }
      details.tile {
        border-top: 1px solid var(--line);
        padding-top: 10px;
      }
      details.tile > summary {
        font-size: var(--t-s);
        font-weight: 600;
        min-height: 24px;
      }
      .inside {
        margin-top: 10px;
      }
      .sides {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 10px;
      }
      .sides > div {
        border: 1px solid var(--line);
        border-radius: var(--r-m);
        padding: 8px 10px;
        font-size: var(--t-s);
        overflow-wrap: anywhere;
      }
      ul.causes {
        list-style: disc;
        padding-inline-start: 18px;
      }
    `,
  ];

  /** Task id; the attribute is `id`. */
  declare task: string | null;
  declare bare: boolean;
  private declare asked: Asked | null;
  private declare busy: boolean;
  private declare problem: { attempted: string; problem: Problem } | null;
  private declare said: string;

  private readonly first = new Loaded<Task>(this, () => this.live.look(this.task!));
  private readonly records = new Loaded<TaskRecords>(this, () => this.client.records(this.task!));
  private readonly situation = new Loaded<Situation>(this, () => this.client.situation(this.task!));
  private seen: Task | undefined;
  private recordsOpen = false;
  /** The task that is shown, and that whose past was read: each once per task, so that nothing moves when more becomes known. */
  private shown: string | null = null;
  private past: string | null = null;

  constructor() {
    super();
    this.bare = false;
    this.asked = null;
    this.busy = false;
    this.problem = null;
    this.said = "";
  }

  protected override get follows(): boolean {
    return true;
  }

  protected override served(): void {
    this.begin();
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    // The first time the service becomes known as well, and with it this is read.
    if (this.hasUpdated && changed.has("task")) this.begin();
    this.follow();
  }

  protected override back(): void {
    if (this.first.problem) void this.first.reload();
    if (this.known) void this.live.fill(this.known);
  }

  private begin(): void {
    for (const loaded of [this.first, this.records, this.situation]) loaded.reset();
    this.seen = undefined;
    this.shown = null;
    this.past = null;
    this.said = "";
    this.problem = null;
    if (this.task) void this.first.reload();
  }

  private get known(): Task | undefined {
    return this.task ? this.live.tasks.get(this.task) : undefined;
  }

  /** Says aloud what changed in kind, never each percent; reads records again where they are shown. */
  private follow(): void {
    const task = this.known;
    const before = this.seen;
    if (!task || task === before) return;
    this.seen = task;
    if (task.id !== before?.id || task.attempt !== before.attempt) {
      void this.live.fill(task).then(() => {
        this.past = task.id;
        this.requestUpdate();
      });
    }
    if (before && standing(before) !== standing(task)) {
      const label = standingMark(standing(task)).label;
      this.said = `${task.domain}: ${label}. ${task.outcome?.summary ?? ""}`;
      if (this.situation.value) void this.situation.reload();
      if (task.ended) this.tell("waypost-ended", { task: task.id, outcome: task.ended });
    }
    if (before && before.updatedAt !== task.updatedAt && this.recordsOpen) void this.records.reload();
    if (!before || before.ended !== task.ended) {
      if (task.ended && !task.outcome) void this.first.reload();
    }
  }

  /** Whether all is known that has a place on the page: the single answer, what the viewer may do, and of one that is over whether
   *  there is a plot. A list knows less, and what came later would move the rest. Where one can't be had, what is known is shown. */
  private whole(task: Task): boolean {
    const told = task.requestedBy !== null && this.live.who !== null && (!task.ended || this.past === task.id);
    const never = this.first.problem !== null || this.live.link.state === "lost" || this.live.link.state === "denied";
    if (told || never) this.shown = task.id;
    return this.shown === task.id;
  }

  protected override render(): TemplateResult {
    if (!this.task) return html`<p class="soft">This element needs the attribute <code>id</code>: a task’s id.</p>`;
    const task = this.known;
    return html`<article class="frame panel stack" aria-label=${task ? `Migration of ${task.domain}` : "Migration"}>
      <span class="hidden" role="status" aria-live="polite">${this.said}</span>
      ${this.linkNote()}
      ${task && this.whole(task) ? this.body(task) : this.first.problem ? this.problemNote(this.first.problem, "The migration could not be read", () => void this.first.reload()) : bones(6)}
    </article>`;
  }

  private body(task: Task): TemplateResult {
    const word = standing(task);
    const mark = standingMark(word);
    const series = this.live.series.get(task.id);
    // Of a definition that travelled alone, or of long ago, there is none.
    const plotted = !task.ended || Boolean(series?.length);
    return html`
      <header class="row spread top">
        <div class="stack">
          <h2 class="title"><span class="break">${task.domain}</span>${standingBadge(word)}</h2>
          <p class="row small"><span>${task.source ?? "source not known yet"}</span>${icon("arrow")}<span class="hidden">to</span><span>${task.destination}</span></p>
        </div>
        <div class="row">${commands(this.live.who, task) ? this.controls(task) : nothing}</div>
      </header>
      ${this.problem ? this.problemNote(this.problem.problem, this.problem.attempted) : nothing}
      <div class="now">${
        task.ended
          ? this.end(task)
          : html`<div class="how">
              <span class="small break">${task.message ?? mark.label}</span>
              <strong>${task.queued ? placeSays(task.place, seesAll(this.live.who) ? this.live.waiting : null) : percent(task.progress)}</strong>
              ${progress(task.progress, mark.tone, `Progress of ${task.domain}`)}
            </div>`
      }</div>
      <div class="columns ${plotted ? "" : "even"}">
        <div>
          ${plotted ? nothing : this.open(task) ? this.bothSides(task) : task.sample ? figures(task) : nothing}
          ${plotted ? html`<section aria-label="Course">
            <div class="plots">
              ${
                series?.length
                  ? html`<waypost-plot .series=${series} .length=${series.length}></waypost-plot>`
                  : html`<p class="soft small">The plot begins with the first reading of the transfer.</p>`
              }
            </div>
          </section>` : nothing}
        </div>
        <div>
          ${plotted ? figures(task) : nothing}
          <section aria-label="Facts">
            <dl class="facts">
              <dt>Phase</dt><dd>${plain(task.phase)}</dd>
              <dt>Attempt</dt><dd>${task.attempt}</dd>
              ${task.requestedBy ? html`<dt>Asked for by</dt><dd>${task.requestedBy}</dd>` : nothing}
              <dt>Begun</dt><dd>${when(task.createdAt)}</dd>
              ${task.ended ? html`<dt>Ended</dt><dd>${when(task.updatedAt)}</dd>` : nothing}
              ${task.targetUri ? html`<dt>Goes to</dt><dd class="mono">${task.targetUri}</dd>` : nothing}
              <dt>Task</dt><dd class="mono">${task.id}</dd>
            </dl>
          </section>
          ${plotted && this.open(task) ? this.bothSides(task) : nothing}
        </div>
      </div>
      ${this.more(task)}
      ${this.asked ? this.dialog(task, this.asked) : nothing}
    `;
  }

  private end(task: Task): TemplateResult {
    const mark = standingMark(task.ended!);
    const outcome = task.outcome;
    return html`<div class="callout ${mark.tone}">
      ${icon(mark.icon)}
      <strong class="break">${outcome?.summary ?? mark.label}</strong>
      ${
        outcome?.causes.length
          ? html`<ul class="causes">${outcome.causes.map((cause) => html`<li>${cause}</li>`)}</ul>`
          : nothing
      }
      ${outcome?.remedy ? html`<span><span class="soft">What helps:</span> ${outcome.remedy}</span>` : nothing}
    </div>`;
  }

  private controls(task: Task): TemplateResult {
    return html`${wishes(task).map(
      (wish) => html`<button
        class=${wish.icon === "stop" && wish.leave ? "danger" : ""}
        aria-disabled=${wish.barred ? "true" : "false"}
        title=${wish.barred ?? wish.says}
        @click=${() => {
          if (!wish.barred) this.ask(wish, true);
        }}
      >
        ${icon(wish.icon)}${wish.label}
      </button>`,
    )}`;
  }

  private ask(wish: Wish, standing = false): void {
    this.asked = { wish, standing, number: null, choice: wish.choice?.of[0]?.value ?? null, why: "" };
  }

  private dialog(task: Task, asked: Asked): TemplateResult {
    const wish = asked.standing ? again(task, asked.wish) : asked.wish;
    const { number, choice } = wish;
    // What was just sent bars itself.
    const barred = this.busy ? undefined : wish.barred;
    const least = number?.least ?? 1;
    const fit = !number || (asked.number !== null && asked.number >= least && asked.number <= number.most);
    return html`<waypost-dialog .heading=${`${wish.label}: ${task.domain}`} .busy=${this.busy} @done=${() => (this.asked = null)}>
      <div class="stack">
        <p role="status">${barred ?? wish.says}</p>
        ${wish.warns && !barred ? html`<div class="callout warn">${icon("alert")}<span>${wish.warns}</span></div>` : nothing}
        ${
          number
            ? html`<label class="field">${number.label}<input type="number" min=${least} max=${number.most} autofocus
                @input=${(event: Event) => (this.asked = { ...asked, number: Number((event.target as HTMLInputElement).value) })} /></label>`
            : nothing
        }
        ${
          choice
            ? html`<label class="field">${choice.label}<select
                @change=${(event: Event) => (this.asked = { ...asked, choice: (event.target as HTMLSelectElement).value })}>
                ${choice.of.map((one) => html`<option value=${one.value} ?selected=${one.value === asked.choice}>${one.label}</option>`)}
              </select></label>`
            : nothing
        }
        ${whyField(asked.why, (why) => (this.asked = { ...asked, why }), this.busy)}
      </div>
      <button slot="actions" ?disabled=${this.busy} @click=${() => (this.asked = null)}>${wish.leave ?? "Leave it"}</button>
      <button slot="actions" class="primary ${wish.grave ? "danger" : ""}" ?disabled=${this.busy || !fit || Boolean(barred)}
        @click=${() => void this.doIt(wish, { number: asked.number ?? 0, choice: asked.choice ?? "", why: asked.why })}>${icon(wish.icon)}${wish.label}</button>
    </waypost-dialog>`;
  }

  private async doIt(wish: Wish, given: Given): Promise<void> {
    this.busy = true;
    this.problem = null;
    try {
      const next = await wish.run(this.client, this.task!, given);
      this.said = `${wish.label}: asked for`;
      if (next) this.tell("waypost-created", { task: next });
    } catch (error) {
      const problem = Problem.of(error);
      this.problem = {
        attempted: problem.unsettled ? `It is not known whether “${wish.label}” was done` : `${wish.label} was not done`,
        problem,
      };
    }
    this.busy = false;
    this.asked = null;
    if (this.situation.value) void this.situation.reload();
    this.live.look(this.task!).catch(() => {});
  }

  /** Whether a person may have to decide. */
  private open(task: Task): boolean {
    return task.ended === "stuck" || task.phase === "locating" || task.phase === "recovering";
  }

  private bothSides(task: Task): TemplateResult {
    const { value, problem, loading } = this.situation;
    return html`<section aria-label="Both hosts">
      <div class="row spread">
        <h3>What both hosts say</h3>
        <button @click=${() => void this.situation.reload()} ?disabled=${loading}>
          ${icon("search")}${loading ? "Looking…" : value ? "Look again" : "Look now"}
        </button>
      </div>
      ${problem ? this.problemNote(problem, "The hosts could not be looked at") : nothing}
      ${
        value
          ? html`<div class="sides">
                <div><span class="tiny soft">Source, ${task.source}</span>${side(value.source)}</div>
                <div><span class="tiny soft">Destination, ${task.destination}</span>${side(value.destination)}</div>
              </div>
              <p class="small soft">${value.why}</p>
              ${
                commands(this.live.who, task)
                  ? html`<div class="row">
                      ${value.permitted.map((word) => {
                        const wish = recovery(word, value.networks);
                        return html`<button class=${wish.grave ? "danger" : ""} @click=${() => this.ask(wish)}>${wish.label}</button>`;
                      })}
                    </div>`
                  : value.permitted.length
                    ? html`<p class="small">Permitted: ${value.permitted.map((word) => action(word).label).join(", ")}. <span class="soft">Your role or reach does not include it.</span></p>`
                    : nothing
              }
              ${
                value.withheld.length
                  ? html`<details class="small"><summary>Not permitted, and why</summary>
                      <dl class="facts">${value.withheld.map((one) => html`<dt>${action(one.action).label}</dt><dd>${one.why}</dd>`)}</dl>
                    </details>`
                  : nothing
              }`
          : html`<p class="small soft">Nothing is done by looking. What is permitted is offered afterwards.</p>`
      }
    </section>`;
  }

  private more(task: Task): TemplateResult {
    const { value, problem } = this.records;
    return html`<details class="tile" @toggle=${(event: Event) => {
        this.recordsOpen = (event.target as HTMLDetailsElement).open;
        if (this.recordsOpen) void this.records.reload();
      }}>
      <summary>Records and decisions</summary>
      <div class="inside stack">
        ${problem ? this.problemNote(problem, "The records could not be read", () => void this.records.reload()) : nothing}
        ${
          value
            ? html`${journal(value.journal)}
                <h3>What policies decided</h3>
                <waypost-decisions .decisions=${value.decisions} .task=${task.id}></waypost-decisions>`
            : problem
              ? nothing
              : bones(4)
        }
      </div>
    </details>`;
  }
}

/** The same wish as the task stands now. */
function again(task: Task, wish: Wish): Wish {
  return wishes(task).find((one) => one.label === wish.label) ?? { ...wish, barred: "The migration is over." };
}

function side(side: Side): TemplateResult {
  switch (side.domain) {
    case "unknown":
      return html`<p class="toned warn"><strong>Can’t be asked</strong></p><p class="tiny">${side.why}</p>`;
    case "absent":
      return html`<p><strong>Not there</strong></p>`;
    case "present":
      return html`<p><strong>${plain(side.state)}</strong> <span class="soft">(${side.reason})</span></p>
        <p class="tiny soft">${side.name}; ${side.persistent ? "defined" : "not defined"}${side.job ? "; a job runs on it" : ""}</p>
        ${(side.disk_errors ?? []).map((error) => html`<p class="tiny toned bad">${icon("alert")} Disk ${error}</p>`)}`;
  }
}

customElements.define("waypost-migration", WaypostMigration);
