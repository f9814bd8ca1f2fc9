// <waypost-readiness>: may every domain go to every other host? One cell for each answer, and beside the map what was found for
// the cell that is looked at. Attributes: `readonly`.
//
// The whole fleet is read for it, so it is read when it is shown and when it is asked for, and says of when it is.

import { css, html, nothing, type TemplateResult } from "lit";
import type { Domain, Readiness, ReadinessRow, Verdict } from "../api/types";
import { Loaded } from "../live/loaded";
import { findingList, summary } from "../parts/findings";
import { icon } from "../parts/icons";
import "../parts/move";
import { bones, empty, when } from "../parts/small";
import { findingStyles } from "../style/findings";
import { count } from "../text/format";
import { plain } from "../text/words";
import { WaypostElement } from "./base";

const PAGE = 60;

type Show = "all" | "barred" | "warned";

interface Cell {
  domain: Domain;
  host: string;
  verdict: Verdict;
}

export class WaypostReadiness extends WaypostElement {
  static override properties = {
    readonly: { type: Boolean },
    show: { state: true },
    sought: { state: true },
    most: { state: true },
    at: { state: true },
    pinned: { state: true },
    moving: { state: true },
  };
  static override styles = [
    WaypostElement.styles,
    findingStyles,
    css`
      .tools {
        margin-bottom: 12px;
      }
      .both {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 320px;
        gap: 16px;
        align-items: start;
      }
      aside {
        position: sticky;
        top: 76px;
        padding: 14px 16px;
        min-height: 190px;
        max-height: calc(100vh - 96px);
        overflow: auto;
        scrollbar-width: thin;
        align-content: start;
      }
      @container (max-width: 860px) {
        .both {
          grid-template-columns: minmax(0, 1fr);
        }
        aside {
          top: auto;
          bottom: var(--waypost-bottom, 8px);
          z-index: 4;
          min-height: 0;
          max-height: 40vh;
          box-shadow: 0 -6px 24px rgb(8 15 25 / 16%);
        }
      }
      .map {
        max-height: max(420px, calc(100vh - 210px));
      }
      table {
        width: auto;
        min-width: 100%;
        border-collapse: separate;
        border-spacing: 0;
      }
      thead th {
        position: sticky;
        top: 0;
        z-index: 2;
        text-align: center;
      }
      tbody th,
      thead th:first-child {
        position: sticky;
        inset-inline-start: 0;
        z-index: 1;
        text-align: start;
        font-size: var(--t-s);
        border-inline-end: 1px solid var(--line);
        width: 250px;
        max-width: 250px;
        padding-block: 4px;
      }
      thead th:first-child {
        z-index: 3;
      }
      tbody th strong {
        color: var(--text);
        font-weight: 600;
      }
      tbody th > span {
        display: block;
        font-weight: 400;
      }
      th .ellipsis {
        display: block;
      }
      thead th .ellipsis {
        max-width: 8.5rem;
        margin-inline: auto;
      }
      @container (max-width: 600px) {
        tbody th,
        thead th:first-child {
          width: 116px;
          max-width: 116px;
        }
      }
      td {
        padding: 2px;
        text-align: center;
        min-width: 62px;
        border-bottom: 1px solid var(--line);
      }
      td button {
        width: 100%;
        min-height: 34px;
        padding: 0 4px;
        border: 1px solid transparent;
        background: var(--tint);
        color: var(--tone);
        font-size: var(--t-xs);
        font-weight: 650;
        border-radius: 4px;
      }
      td button:hover {
        background: var(--tint);
        border-color: var(--tone);
      }
      td button[aria-pressed="true"] {
        border-color: var(--tone);
        box-shadow: inset 0 0 0 1px var(--tone);
      }
      td button:focus-visible {
        box-shadow: inset 0 0 0 2px var(--accent);
      }
      .here {
        color: var(--soft);
        font-size: var(--t-xs);
      }
      .key {
        display: inline-flex;
        gap: 5px;
        align-items: center;
        font-size: var(--t-xs);
      }
      .key i {
        width: 18px;
        height: 14px;
        border-radius: 3px;
        background: var(--tint);
        color: var(--tone);
        display: inline-grid;
        place-items: center;
        font-size: 10px;
      }
      td button.noted,
      .key.noted i {
        background: transparent;
        box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--tone) 40%, transparent);
      }
      .legend {
        gap: 4px 18px;
        margin-bottom: 10px;
      }
      .foot {
        text-align: center;
        padding: 8px;
      }
      .note {
        margin-bottom: 12px;
      }
    `,
  ];

  declare readonly: boolean;
  private declare show: Show;
  private declare sought: string;
  private declare most: number;
  /** The cell that had the keyboard last: row and column. */
  private declare at: [number, number];
  private declare pinned: Cell | null;
  private declare moving: { domain: Domain; to: string } | null;

  private readonly readiness = new Loaded<Readiness>(this, () => this.client.readiness());
  private looked: Cell | null = null;

  constructor() {
    super();
    this.readonly = false;
    this.show = "all";
    this.sought = "";
    this.most = PAGE;
    this.at = [0, 0];
    this.pinned = null;
    this.moving = null;
  }

  protected override get follows(): boolean {
    return true;
  }

  protected override served(): void {
    this.readiness.reset();
    void this.readiness.reload();
  }

  protected override back(): void {
    if (this.readiness.problem) void this.readiness.reload();
  }

  private get hosts(): string[] {
    const names = new Set<string>();
    for (const row of this.readiness.value?.rows ?? []) {
      names.add(row.domain.host);
      for (const verdict of row.verdicts) names.add(verdict.destination);
    }
    return [...names].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  }

  private fits(row: ReadinessRow): boolean {
    const word = this.sought.trim().toLowerCase();
    if (word && !row.domain.name.toLowerCase().includes(word)) return false;
    const all = row.verdicts.map(summary);
    if (this.show === "barred") return all.every((one) => one.refused);
    if (this.show === "warned") return all.some((one) => one.tone === "warn");
    return true;
  }

  /** Migrations that ended after it was read have changed it. */
  private get changes(): number {
    const at = new Date(this.readiness.at).toISOString();
    return [...this.live.tasks.values()].filter((task) => task.ended === "completed" && task.updatedAt > at).length;
  }

  protected override render(): TemplateResult {
    const { value, problem, loading, at } = this.readiness;
    const rows = value?.rows.filter((row) => this.fits(row)).sort(byName) ?? [];
    const changes = value ? this.changes : 0;
    return html`
      <div class="row spread tools">
        <div class="row">
          <input type="search" aria-label="Find a domain" placeholder="Find a domain" .value=${this.sought}
            @input=${(event: Event) => this.narrow({ sought: (event.target as HTMLInputElement).value })} />
          <label><span class="hidden">Which domains</span>
            <select @change=${(event: Event) => this.narrow({ show: (event.target as HTMLSelectElement).value as Show })}>
              <option value="all">All domains</option>
              <option value="barred">Those that can go nowhere</option>
              <option value="warned">Those with a warning</option>
            </select></label>
        </div>
        <div class="row small soft">
          ${at ? html`<span>as of ${when(new Date(at).toISOString())}${changes ? `; ${count(changes, "migration")} since` : nothing}</span>` : nothing}
          <button ?disabled=${loading} @click=${() => void this.readiness.reload()}>${icon("again")}${loading ? "Reading…" : "Read again"}</button>
        </div>
      </div>
      ${problem ? html`<div class="stack note">${this.problemNote(problem, "The readiness could not be read", () => void this.readiness.reload())}</div>` : nothing}
      ${
        value?.unread.length
          ? html`<div class="callout warn note">${icon("unlinked")}<strong>Not everything could be read</strong>
              ${value.unread.map((one) => html`<span>${one.host}: ${one.error}</span>`)}</div>`
          : nothing
      }
      ${value ? this.map(rows, value) : problem ? nothing : html`<div class="panel"><div class="empty">${bones(6)}<span>Every host is read, and every policy is asked about every domain.</span></div></div>`}
      ${
        this.moving
          ? html`<waypost-move .domain=${this.moving.domain} .to=${this.moving.to} .base=${this.base} .token=${this.token}
              @done=${() => (this.moving = null)}></waypost-move>`
          : nothing
      }
    `;
  }

  private narrow(to: { sought?: string; show?: Show }): void {
    Object.assign(this, to);
    this.most = PAGE;
    this.at = [0, 0];
  }

  private map(rows: ReadinessRow[], value: Readiness): TemplateResult {
    if (!value.rows.length) return html`<div class="panel">${empty("grid", "No domains", "No host that answered has one.")}</div>`;
    const hosts = this.hosts;
    const some = rows.slice(0, this.most);
    const entry = this.entry(some, hosts);
    return html`<div class="row legend" aria-label="What the signs mean" role="group">
        <span class="key good"><i>${icon("check")}</i>may go</span>
        <span class="key good noted"><i>${icon("info")}</i>may go, with so many notes</span>
        <span class="key warn"><i>${icon("alert")}</i>may go, with so many warnings</span>
        <span class="key bad"><i>${icon("bar")}</i>refused, by so many blockers</span>
      </div>
      <div class="both">
      <div class="panel">
        ${
          rows.length
            ? html`<div class="scroll map" @mouseleave=${() => this.look(null)}>
                <table role="grid" aria-label="Readiness: may the domain of the row go to the host of the column" aria-rowcount=${rows.length + 1} @keydown=${this.walk}>
                  <thead><tr>
                    <th scope="col">Domain</th>
                    ${hosts.map((host) => html`<th scope="col"><span class="ellipsis" title=${host}>${host}</span></th>`)}
                  </tr></thead>
                  <tbody>${some.map((row, index) => this.row(row, index, hosts, entry))}</tbody>
                </table>
              </div>`
            : empty("search", "No such domain", "None fits what is chosen above.")
        }
        ${
          rows.length > some.length
            ? html`<div class="foot"><button class="quiet" @click=${() => (this.most += PAGE)}>
                Show ${Math.min(PAGE, rows.length - some.length)} more of ${rows.length - some.length}
              </button></div>`
            : nothing
        }
      </div>
      <aside class="panel stack" aria-live="polite" aria-label="Findings">${this.found()}</aside>
    </div>`;
  }

  /** The cell that Tab leads to: the one that had the keyboard last. Where that has no verdict, or is not there any more, the first that
   *  has one, so that there always is a way in. */
  private entry(rows: ReadinessRow[], hosts: string[]): [number, number] {
    const judged = (index: number, column: number) => rows[index]?.verdicts.some((verdict) => verdict.destination === hosts[column]);
    if (judged(...this.at)) return this.at;
    const index = Math.max(0, rows.findIndex((row) => row.verdicts.length));
    return [index, hosts.findIndex((_, column) => judged(index, column))];
  }

  private row(row: ReadinessRow, index: number, hosts: string[], entry: [number, number]): TemplateResult {
    const { domain } = row;
    const of = new Map(row.verdicts.map((verdict) => [verdict.destination, verdict]));
    return html`<tr>
      <th scope="row"><span><strong class="ellipsis" title=${domain.name}>${domain.name}</strong><span class="tiny ellipsis" title=${domain.host}>${domain.host}${domain.state === "running" ? "" : `, ${plain(domain.state)}`}</span></span></th>
      ${hosts.map((host, column) => {
        const verdict = of.get(host);
        if (!verdict) return html`<td><span class="here">${host === domain.host ? "here" : "–"}</span></td>`;
        const sum = summary(verdict);
        const cell = { domain, host, verdict };
        const noted = sum.tone === "good" && sum.why !== "";
        const pinned = this.pinned?.domain.id === domain.id && this.pinned.host === host;
        return html`<td role="gridcell"><button
          class=${noted ? "good noted" : sum.tone}
          tabindex=${entry[0] === index && entry[1] === column ? 0 : -1}
          data-at="${index}:${column}"
          aria-pressed=${pinned}
          aria-label=${`${domain.name} to ${host}: ${sum.word}${sum.why ? `, ${sum.why}` : ""}`}
          @mouseenter=${() => this.look(cell)}
          @focus=${() => {
            this.at = [index, column];
            this.look(cell);
          }}
          @click=${() => (this.pinned = pinned ? null : cell)}
        >${icon(noted ? "info" : sum.icon)}${Number.parseInt(sum.why, 10) || nothing}</button></td>`;
      })}
    </tr>`;
  }

  private look(cell: Cell | null): void {
    this.looked = cell;
    this.requestUpdate();
  }

  private readonly walk = (event: KeyboardEvent) => {
    const steps: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      PageUp: [-10, 0],
      PageDown: [10, 0],
      Home: [0, -1000],
      End: [0, 1000],
    };
    if (event.key === "Escape") this.pinned = null;
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const cells = [...this.renderRoot.querySelectorAll<HTMLElement>("[data-at]")].map((element) => {
      const [row, column] = element.dataset["at"]!.split(":").map(Number) as [number, number];
      return { element, row, column };
    });
    const [row, column] = this.at;
    // The nearest cell that way: a domain's own host has none.
    const ahead = cells.filter((cell) =>
      step[0]
        ? (cell.row - row) * Math.sign(step[0]) > 0
        : cell.row === row && (cell.column - column) * Math.sign(step[1]) > 0,
    );
    const [toRow, toColumn] = [row + step[0], column + step[1]];
    const away = (cell: { row: number; column: number }) => Math.abs(cell.row - toRow) * 1000 + Math.abs(cell.column - toColumn);
    ahead.sort((a, b) => away(a) - away(b))[0]?.element.focus();
  };

  private found(): TemplateResult {
    const cell = this.pinned ?? this.looked;
    if (!cell) {
      return html`<h3>What the rules say</h3>
        <p class="small soft">Point at a cell, or walk with the arrow keys. A click keeps it here.</p>`;
    }
    const sum = summary(cell.verdict);
    return html`<div class="row spread">
        <h3 class="break">${cell.domain.name} ${icon("arrow")} ${cell.host}</h3>
        ${this.pinned ? html`<button class="quiet" aria-label="Let go" @click=${() => (this.pinned = null)}>${icon("cross")}</button>` : nothing}
      </div>
      <p class="toned ${sum.tone}">${icon(sum.icon)} <strong>${sum.word}</strong>${sum.why ? `, ${sum.why}` : nothing}</p>
      ${findingList(cell.verdict)}
      ${
        this.readonly || sum.refused || !this.permits("move")
          ? nothing
          : html`<button @click=${() => (this.moving = { domain: cell.domain, to: cell.host })}>${icon("arrow")}Move it there…</button>`
      }`;
  }
}

/** Rows by the domain's name, as people count; of one name by the host. */
function byName(one: ReadinessRow, other: ReadinessRow): number {
  const order = (a: string, b: string) => a.localeCompare(b, undefined, { numeric: true });
  return order(one.domain.name, other.domain.name) || order(one.domain.host, other.domain.host);
}

customElements.define("waypost-readiness", WaypostReadiness);
