// <waypost-dashboard>: the whole of it, made of the other elements. Places are told apart behind the `#`, so that it works under
// any path, from any server, without its help.
//
// Attribute `login`: the page where one logs in. Whom the service does not know is led there, and back by its `?return=`; without
// it the dashboard says so, and `waypost-signed-out` lets the page around it do what it has to.

import { html, nothing, type TemplateResult } from "lit";
import type { Version } from "../api/types";
import { WaypostElement } from "../elements/base";
import "../elements/decisions";
import "../elements/hosts";
import "../elements/migration";
import "../elements/migrations";
import "../elements/plugins";
import "../elements/readiness";
import { Problem } from "../api/client";
import { Loaded } from "../live/loaded";
import { standing } from "../live/tasks";
import { standingOf } from "../live/who";
import { icon } from "../parts/icons";
import { signedOutNote } from "../parts/link";
import { problemNote } from "../parts/small";
import { dashboardStyles } from "../style/dashboard";
import { moment } from "../text/format";
import { standingMark } from "../text/words";
import { forget, keep, kept } from "./kept";

interface Place {
  page: string;
  task: string | null;
}

const PAGES = [
  { page: "hosts", title: "Hosts", icon: "host", says: "Drag a domain to the host that shall run it, or use its Move button." },
  { page: "migrations", title: "Migrations", icon: "moves", says: "What runs, and what became of what ran." },
  { page: "readiness", title: "Readiness", icon: "grid", says: "May every domain go to every other host, and if not, why." },
  { page: "policies", title: "Policies", icon: "rules", says: "Who decides: each rule, whether it is in force, and what it said lately." },
];

const THEMES = [
  { theme: null, label: "As the system", icon: "auto" },
  { theme: "light", label: "Light", icon: "sun" },
  { theme: "dark", label: "Dark", icon: "moon" },
] as const;

/** What a link says in its own letters; one that is cut short or mistyped says what it says. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function place(): Place {
  const [page, task] = location.hash.replace(/^#\/?/, "").split("/");
  const known = PAGES.some((one) => one.page === page);
  return { page: known ? page! : "hosts", task: page === "migrations" && task ? decoded(task) : null };
}

export class WaypostDashboard extends WaypostElement {
  static override properties = {
    login: { type: String },
    place: { state: true },
    begun: { state: true },
    problem: { state: true },
  };
  static override styles = [WaypostElement.styles, dashboardStyles];

  /** URL of the page where one logs in. */
  declare login: string | null;
  private declare place: Place;
  /** The migration that was begun last, here. */
  private declare begun: string | null;
  /** Why one is still logged in. */
  private declare problem: Problem | null;

  private readonly version = new Loaded<Version>(this, () => this.client.version());

  constructor() {
    super();
    this.place = place();
    this.begun = null;
    this.problem = null;
    this.theme = kept("theme");
  }

  protected override get follows(): boolean {
    return true;
  }

  protected override served(): void {
    this.version.reset();
    void this.version.reload();
  }

  /** A token is the page's own business: logging in makes a cookie, which does not speak beside one. */
  protected override signedOut(): void {
    if (this.login && !this.client.hasToken) this.leave(`${location.pathname}${location.search}${location.hash}`);
  }

  /** To the page where one logs in, and from there to that path. */
  private leave(back: string | null): void {
    const to = new URL(this.login!, document.baseURI);
    if (back) to.searchParams.set("return", back);
    location.replace(to);
  }

  private readonly logOut = async () => {
    this.problem = null;
    try {
      await this.client.endSession();
      this.leave(null);
    } catch (error) {
      const problem = Problem.of(error);
      // Where nobody was logged in any more one is led away already.
      if (!problem.denied) this.problem = problem;
    }
  };

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.went);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.went);
  }

  private readonly went = async () => {
    this.place = place();
    this.begun = null;
    await this.updateComplete;
    scrollTo(0, 0);
    // Whoever reads by ear hears where they are.
    this.renderRoot.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  };

  protected override render(): TemplateResult {
    const { page, task } = this.place;
    const known = task ? this.live.tasks.get(task) : undefined;
    const title = task ? (known ? `Migration of ${known.domain}` : "Migration") : PAGES.find((one) => one.page === page)!.title;
    document.title = `${title} · Waypost`;
    const denied = this.live.link.state === "denied";
    return html`
      <a class="skip" href="#main" @click=${this.skip}>Skip to the content</a>
      <header class="top">
        <a class="brand" href="#/hosts" aria-label="Waypost">
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M11 3h2v18h-2z" /><path d="M4 5h12.5l3 2.75-3 2.75H4z" /><path d="M20 12.5H8.5l-2.5 2.25L8.5 17H20z" opacity=".55" /></svg>
          <span>Waypost</span>
        </a>
        ${denied ? nothing : this.nav(page)}
        <div class="row end">${this.link()}${this.viewer()}${this.themes()}</div>
      </header>
      <main id="main" tabindex="-1">
        ${denied ? this.out() : this.page(page, task, title)}
      </main>
      <div class="notices">
        ${denied ? nothing : this.linkNote()}${this.begunNote()}${this.problem ? problemNote(this.problem, "You are still logged in") : nothing}
      </div>
      <footer class="tiny soft">${this.version.value ? `Waypost ${this.version.value.version}, API ${this.version.value.api}` : nothing}</footer>
    `;
  }

  private readonly skip = (event: Event) => {
    event.preventDefault();
    this.renderRoot.querySelector<HTMLElement>("main")?.focus();
  };

  private nav(page: string): TemplateResult {
    const running = [...this.live.tasks.values()].filter((task) => !task.ended).length;
    return html`<nav aria-label="Pages">
      ${PAGES.map(
        (one) => html`<a href="#/${one.page}" aria-current=${one.page === page ? "page" : nothing}>
          ${icon(one.icon)}<span>${one.title}</span>
          ${one.page === "migrations" && running ? html`<b class="count" aria-label=${`${running} under way`}>${running}</b>` : nothing}
        </a>`,
      )}
    </nav>`;
  }

  private link(): TemplateResult {
    const { link } = this.live;
    const [tone, text] =
      link.state === "live"
        ? ["good", "Live"]
        : link.state === "lost"
          ? ["bad", `Lost at ${moment(new Date(link.since).toISOString())}`]
          : link.state === "denied"
            ? ["warn", "Signed out"]
            : ["idle", "Connecting"];
    return html`<span class="link tiny ${tone}" role="status"><i></i>${text}</span>`;
  }

  /** Who is logged in. Only a session can be ended: who comes over the socket or with a certificate is who they are. */
  private viewer(): TemplateResult | typeof nothing {
    const { who } = this.live;
    if (!who) return nothing;
    return html`<span class="who tiny" title=${standingOf(who)}>
        ${icon("person")}<span class="hidden">Logged in as</span><b class="ellipsis">${who.name}</b><span class="role soft">${who.role}</span>
      </span>
      ${
        who.session && this.login
          ? html`<button class="quiet out" aria-label="Log out" title="Log out" @click=${this.logOut}>${icon("leave")}<span>Log out</span></button>`
          : nothing
      }`;
  }

  /** What is shown to nobody: one is led away from here, or the page around it has to say who asks. */
  private out(): TemplateResult {
    const { link } = this.live;
    return html`<h1 class="hidden" tabindex="-1">Signed out</h1>
      <div class="out">
        ${link.state === "denied" ? signedOutNote(link.problem) : nothing}
        ${this.login ? html`<p><a class="button" href=${this.login}>Log in</a></p>` : nothing}
      </div>`;
  }

  private themes(): TemplateResult {
    const index = Math.max(0, THEMES.findIndex((one) => one.theme === this.theme));
    const now = THEMES[index]!;
    const next = THEMES[(index + 1) % THEMES.length]!;
    return html`<button class="quiet theme" aria-label=${`Colours: ${now.label}. Change to: ${next.label}`} title=${`Colours: ${now.label}`}
      @click=${() => {
        this.theme = next.theme;
        if (next.theme) keep("theme", next.theme);
        else forget("theme");
      }}>${icon(now.icon)}</button>`;
  }

  private page(page: string, task: string | null, title: string): TemplateResult {
    const looks = page === "hosts" && this.live.who !== null && !this.permits("move");
    // About as long, so that nothing moves once it is known who looks.
    const says = looks ? "What runs where. To have domains moved takes the role operator." : PAGES.find((one) => one.page === page)!.says;
    return html`
      <div class="head">
        ${task ? html`<a class="small back" href="#/migrations">${icon("back")}All migrations</a>` : nothing}
        <h1 tabindex="-1" class=${task ? "hidden" : ""}>${title}</h1>
        ${task ? nothing : html`<p class="soft small">${says}</p>`}
      </div>
      <div class="page" @waypost-created=${this.created}>${this.content(page, task)}</div>
    `;
  }

  private readonly created = (event: CustomEvent<{ task: string }>) => {
    if (this.place.task) location.hash = `#/migrations/${event.detail.task}`;
    else this.begun = event.detail.task;
  };

  private begunNote(): TemplateResult | typeof nothing {
    const task = this.begun ? this.live.tasks.get(this.begun) : undefined;
    return html`<div role="status">${
      task
        ? html`<div class="callout ${standingMark(standing(task)).tone}">${icon(standingMark(standing(task)).icon)}
            <span class="row spread"><span><strong>${task.domain}</strong> to ${task.destination}: ${standingMark(standing(task)).label}</span>
              <span class="row"><a href="#/migrations/${task.id}">Watch it</a>
              <button class="quiet" aria-label="Put away" @click=${() => (this.begun = null)}>${icon("cross")}</button></span></span></div>`
        : nothing
    }</div>`;
  }

  private content(page: string, task: string | null): TemplateResult {
    const { base, token } = this;
    const to = "#/migrations/{id}";
    switch (page) {
      case "migrations":
        return task
          ? html`<waypost-migration quiet .task=${task} .base=${base} .token=${token}></waypost-migration>`
          : html`<waypost-migrations quiet .base=${base} .token=${token} link=${to}></waypost-migrations>`;
      case "readiness":
        return html`<waypost-readiness quiet .base=${base} .token=${token}></waypost-readiness>`;
      case "policies":
        return html`<waypost-plugins quiet .base=${base} .token=${token}></waypost-plugins>`;
      default:
        return html`<div class="hosts">
          <waypost-hosts quiet .base=${base} .token=${token} link=${to}></waypost-hosts>
          <aside class="stack" aria-label="Migrations">
            <h2>Under way</h2>
            <waypost-migrations quiet compact state="unfinished" limit="20" .base=${base} .token=${token} link=${to}></waypost-migrations>
            <h2>Ended lately</h2>
            <waypost-migrations quiet compact mute state="completed,refused,rolled-back,cancelled,stuck,lost" limit="5" .base=${base} .token=${token} link=${to}></waypost-migrations>
          </aside>
        </div>`;
    }
  }
}

customElements.define("waypost-dashboard", WaypostDashboard);
