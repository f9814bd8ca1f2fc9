// <waypost-hosts>: hosts with their load and their domains. A domain is picked up, with the pointer or with its button, and every
// other host then says whether the rules let it come; choosing one leads to the last step before a migration.
//
// Attributes: `readonly` (nothing can be moved), `link` (a URL with `{id}` for migrations under way).

import { html, nothing, type TemplateResult } from "lit";
import { classMap } from "lit/directives/class-map.js";
import { repeat } from "lit/directives/repeat.js";
import { Problem } from "../api/client";
import type { Check, Domain, Domains, Host, Verdict } from "../api/types";
import { Loaded } from "../live/loaded";
import { standing, type Task } from "../live/tasks";
import { seesAll } from "../live/who";
import { shown, summary } from "../parts/findings";
import { icon } from "../parts/icons";
import "../parts/move";
import { bones, empty, part, progress } from "../parts/small";
import { findingStyles } from "../style/findings";
import { hostStyles } from "../style/hosts";
import { bytes, count, percent } from "../text/format";
import { domainTone, placeSays, plain, standingMark } from "../text/words";
import { WaypostElement } from "./base";

/** Between two readings of hosts and domains, ms. */
const EVERY_MS = 10_000;
/** Domains of a host that are shown before all are asked for: fewer the more hosts there are. */
const few = (hosts: number) => (hosts <= 8 ? 8 : hosts <= 16 ? 6 : 4);

/** A domain that is being moved, and what the rules say of it. */
interface Picked {
  domain: Domain;
  dragged: boolean;
  check: Check | null;
  problem: Problem | null;
  abort: AbortController;
}

export class WaypostHosts extends WaypostElement {
  static override properties = {
    readonly: { type: Boolean },
    link: { type: String },
    sought: { state: true },
    whole: { state: true },
    picked: { state: true },
    over: { state: true },
    moving: { state: true },
  };
  static override styles = [WaypostElement.styles, findingStyles, hostStyles];

  declare readonly: boolean;
  declare link: string | null;
  private declare sought: string;
  /** Hosts all of whose domains are shown. */
  private declare whole: ReadonlySet<string>;
  private declare picked: Picked | null;
  /** The host that the pointer holds the domain over. */
  private declare over: string | null;
  private declare moving: { domain: Domain; to: string } | null;

  private readonly hosts = new Loaded<Host[]>(this, async () => (await this.client.hosts()).hosts, EVERY_MS);
  private readonly domains = new Loaded<Domains>(this, () => this.client.domains(), EVERY_MS);
  private unfinished = new Set<string>();
  private origin: HTMLElement | null = null;

  constructor() {
    super();
    this.readonly = false;
    this.sought = "";
    this.whole = new Set();
    this.picked = null;
    this.over = null;
    this.moving = null;
  }

  protected override get follows(): boolean {
    return true;
  }

  protected override served(): void {
    this.hosts.reset();
    this.domains.reset();
    this.reload();
  }

  protected override back(): void {
    this.reload();
  }

  private reload(): void {
    void this.hosts.reload();
    void this.domains.reload();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leave();
  }

  /** A migration that ended has probably put a domain elsewhere. */
  protected override heard(): void {
    super.heard();
    const now = new Set([...this.live.tasks.values()].filter((task) => !task.ended).map((task) => task.id));
    const ended = [...this.unfinished].some((id) => !now.has(id));
    this.unfinished = now;
    if (ended) this.reload();
  }

  // Picking up and putting down.

  private pick(domain: Domain, dragged: boolean): void {
    this.leave();
    const picked: Picked = { domain, dragged, check: null, problem: null, abort: new AbortController() };
    this.picked = picked;
    this.client
      .check(domain.id, domain.host, picked.abort.signal)
      .then((check) => this.judged(picked, { check }))
      .catch((error: unknown) => this.judged(picked, { problem: Problem.of(error) }));
  }

  private judged(picked: Picked, what: Partial<Picked>): void {
    if (this.picked?.abort === picked.abort) this.picked = { ...this.picked, ...what };
  }

  private async byHand(event: Event, domain: Domain): Promise<void> {
    this.origin = event.currentTarget as HTMLElement;
    this.pick(domain, false);
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("button.target")?.focus();
  }

  private leave(): void {
    this.picked?.abort.abort();
    this.picked = null;
    this.over = null;
  }

  private readonly giveUp = async () => {
    this.leave();
    // Until then what is picked from can't be reached.
    await this.updateComplete;
    this.origin?.focus();
  };

  private choose(to: string): void {
    const picked = this.picked;
    if (!picked) return;
    this.leave();
    this.moving = { domain: picked.domain, to };
  }

  private verdict(host: string): Verdict | null {
    return this.picked?.check?.verdicts.find((verdict) => verdict.destination === host) ?? null;
  }

  // Rendering.

  protected override render(): TemplateResult {
    const hosts = this.hosts.value;
    const domains = this.domains.value;
    const problem = this.hosts.problem ?? this.domains.problem;
    // All at once, so that nothing is pushed aside by what comes later.
    const read = hosts && (domains || this.domains.problem) && (this.live.listed || this.live.link.state !== "connecting");
    return html`<div
      class=${classMap({ board: true, picking: this.picked !== null })}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key === "Escape" && this.picked) this.giveUp();
      }}
    >
      ${this.linkNote()}
      ${problem && this.live.link.state !== "lost" ? this.problemNote(problem, "The hosts could not be read", () => this.reload()) : nothing}
      <div class="row spread tools">
        <input type="search" aria-label="Find a domain" placeholder="Find a domain" .value=${this.sought}
          @input=${(event: Event) => (this.sought = (event.target as HTMLInputElement).value)} />
        <span class="soft small">${hosts && domains ? `${count(hosts.length, "host")}, ${count(domains.domains.length, "domain")}` : nothing}</span>
      </div>
      ${
        read
          ? hosts.length
            ? html`<div class="hosts">${repeat(this.inOrder(hosts, domains), (host) => host.name, (host) => this.host(host, domains))}</div>`
            : empty("host", "No hosts", "The configuration of the service names none.")
          : problem
            ? nothing
            : html`<div class="hosts filling">${[1, 2, 3].map(() => html`<div class="card panel">${bones(5)}</div>`)}</div>`
      }
      ${this.banner()}
      ${
        this.moving
          ? html`<waypost-move .domain=${this.moving.domain} .to=${this.moving.to} .base=${this.base} .token=${this.token}
              @done=${() => this.moved()} @waypost-created=${() => this.reload()}></waypost-move>`
          : nothing
      }
    </div>`;
  }

  /** Those that have what is sought go before the others. */
  private inOrder(hosts: Host[], domains: Domains | null): Host[] {
    if (!this.sought.trim() || !domains) return hosts;
    const having = new Set(domains.domains.filter((domain) => this.fits(domain)).map((domain) => domain.host));
    return [...hosts.filter((host) => having.has(host.name)), ...hosts.filter((host) => !having.has(host.name))];
  }

  private fits(domain: Domain): boolean {
    const word = this.sought.trim().toLowerCase();
    return !word || domain.name.toLowerCase().includes(word) || domain.id === word;
  }

  private moved(): void {
    this.moving = null;
    this.origin?.focus();
    this.origin = null;
  }

  private banner(): TemplateResult {
    const picked = this.picked;
    const says = picked && this.says(picked);
    // The live region is always there, so that what it says is read out.
    return html`<span class="hidden" role="status">${picked ? `${picked.domain.name}: ${says}` : ""}</span>
      ${
        picked
          ? html`<div class="banner">
              <span class="break"><strong>${picked.domain.name}</strong> from ${picked.domain.host}: ${says}</span>
              ${picked.dragged ? nothing : html`<button @click=${this.giveUp}>Leave it <kbd>Esc</kbd></button>`}
            </div>`
          : nothing
      }`;
  }

  private says({ check, problem }: Picked): string {
    if (problem) return `what the rules say could not be found out (${problem.message})`;
    if (!check) return "the rules are being asked…";
    const open = check.verdicts.filter((verdict) => !summary(verdict).refused).length;
    return open ? `choose a host; ${open} of ${check.verdicts.length} may take it` : "no host may take it; each says why";
  }

  private host(host: Host, domains: Domains | null): TemplateResult {
    const unread = host.error ?? domains?.unread.find((one) => one.name === host.name)?.error ?? null;
    const here = (domains?.domains ?? []).filter((domain) => domain.host === host.name);
    const coming = [...this.live.tasks.values()].filter(
      (task) => !task.ended && task.destination === host.name && !here.some((domain) => domain.id === task.domainId),
    );
    return html`<section
      class=${classMap({ card: true, panel: true, over: this.over === host.name })}
      aria-label=${`Host ${host.name}`}
    >
      <header>
        <div class="row spread">
          <h3 class="row">${icon("host")}<span class="break">${host.name}</span></h3>
          ${
            this.picked?.domain.host === host.name
              ? html`<span class="badge idle">It is here</span>`
              : unread
                ? html`<span class="badge bad">${icon("unlinked")}Not reached</span>`
                : html`<span class="tiny soft">${runs(host)}</span>`
          }
        </div>
        ${unread ? html`<p class="tiny error">${unread}</p>` : load(host)}
      </header>
      <div class="body">
        <div class="list" ?inert=${this.picked !== null && !this.picked.dragged}>${this.list(host, here, coming, unread !== null)}</div>
        ${this.target(host)}
      </div>
    </section>`;
  }

  private list(host: Host, here: Domain[], coming: Task[], unread: boolean): TemplateResult {
    const sought = this.sought.trim() !== "";
    const fitting = here.filter((domain) => this.fits(domain));
    const most = few(this.hosts.value?.length ?? 0);
    const whole = this.whole.has(host.name) || fitting.length <= most + 1;
    const some = whole ? fitting : fitting.slice(0, most);
    return html`<ul class="domains" aria-label=${`Domains on ${host.name}`}>
        ${repeat(coming, (task) => task.id, (task) => this.arriving(task))}
        ${repeat(some, (domain) => domain.id, (domain) => this.domain(domain))}
      </ul>
      ${
        !here.length && !coming.length
          ? html`<p class="none tiny soft">${unread ? "Its domains are not known." : this.domains.value ? "No domains" : "…"}</p>`
          : sought && !fitting.length && !coming.length
            ? html`<p class="none tiny soft">None of its ${count(here.length, "domain")} fits.</p>`
            : nothing
      }
      ${
        fitting.length > most + 1
          ? html`<button class="quiet whole" aria-expanded=${whole} @click=${() => this.fold(host.name, whole)}>
              ${whole ? "Show fewer" : `Show all ${fitting.length}`}
            </button>`
          : nothing
      }`;
  }

  private fold(host: string, whole: boolean): void {
    const next = new Set(this.whole);
    if (whole) next.delete(host);
    else next.add(host);
    this.whole = next;
  }

  private domain(domain: Domain): TemplateResult {
    const task = this.live.of(domain.id);
    const movable = !this.readonly && !task && this.permits("move");
    return html`<li
      class=${classMap({ domain: true, picked: this.picked?.domain.id === domain.id })}
      draggable=${movable ? "true" : "false"}
      @dragstart=${(event: DragEvent) => this.drag(event, domain)}
      @dragend=${() => this.picked?.dragged && this.leave()}
    >
      <span class="grip">${movable ? icon("grip") : nothing}</span>
      <span class="dot ${domainTone(domain.state)}"></span>
      <span class="name ellipsis" title=${domain.name}>${domain.name}</span>
      ${
        task
          ? this.leaving(task)
          : html`<span class="tiny soft state">${usual(domain) ? html`<span class="hidden">running</span>` : odd(domain)}</span>
              ${
                movable
                  ? html`<button class="move" aria-label=${`Move ${domain.name}`} @click=${(event: Event) => void this.byHand(event, domain)}>Move</button>`
                  : nothing
              }`
      }
    </li>`;
  }

  private drag(event: DragEvent, domain: Domain): void {
    if (!event.dataTransfer) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", domain.name);
    this.origin = null;
    // A browser gives up a drag whose beginning changes the page.
    setTimeout(() => this.pick(domain, true));
  }

  private leaving(task: Task): TemplateResult {
    const word = standing(task);
    const mark = standingMark(word);
    // That it moves is told by the arrow and the bar.
    const text = html`<span class="tiny ellipsis toned ${mark.tone}" title=${`${mark.label}, to ${task.destination}`}
        ><span class=${word === "moving" ? "hidden" : ""}>${mark.label}</span> ${icon("arrow")} ${task.destination}</span>
      <span class="tiny number">${task.queued ? this.place(task) : percent(task.progress)}</span>`;
    return html`${this.open(task, text)}
      <span class="thin">${progress(task.progress, mark.tone, `Progress of ${task.domain}`)}</span>`;
  }

  private place(task: Task): string {
    return placeSays(task.place, seesAll(this.live.who) ? this.live.waiting : null);
  }

  private arriving(task: Task): TemplateResult {
    const mark = standingMark(standing(task));
    return html`<li class="domain coming">
      <span class="grip"></span>
      <span class="dot ${mark.tone} hollow"></span>
      <span class="name ellipsis" title=${task.domain}>${task.domain}</span>
      ${this.open(task, html`<span class="tiny soft ellipsis" title=${task.source ?? ""}>comes from ${task.source ?? "…"}</span>`)}
    </li>`;
  }

  private open(task: Task, inner: TemplateResult): TemplateResult {
    const tell = (event: Event) => {
      if (!this.tell("waypost-open", { task: task.id })) event.preventDefault();
    };
    return this.link
      ? html`<a class="to row" href=${this.link.replace("{id}", encodeURIComponent(task.id))} @click=${tell}>${inner}</a>`
      : html`<span class="to row">${inner}</span>`;
  }

  /** What a host says to the domain that is held over it. */
  private target(host: Host): TemplateResult | typeof nothing {
    const picked = this.picked;
    if (!picked || picked.domain.host === host.name) return nothing;
    const verdict = this.verdict(host.name);
    const sum = verdict && summary(verdict);
    const open = this.over === host.name;
    return html`<button
      class=${classMap({ target: true, [sum?.tone ?? "idle"]: true, open })}
      @click=${() => this.choose(host.name)}
      @dragenter=${() => (this.over = host.name)}
      @dragleave=${(event: DragEvent) => this.dragLeft(event, host.name)}
      @dragover=${(event: DragEvent) => {
        if (event.dataTransfer) event.dataTransfer.dropEffect = sum?.refused ? "none" : "move";
        if (!sum?.refused) event.preventDefault();
      }}
      @drop=${(event: DragEvent) => {
        event.preventDefault();
        this.choose(host.name);
      }}
    >
      <span class="row verdict"
        ><span class="hidden">Move ${picked.domain.name} to ${host.name}:</span>
        ${
          sum
            ? html`${icon(sum.icon)}<strong>${sum.word}</strong>${sum.why ? html`<span class="small">${sum.why}</span>` : nothing}`
            : html`<span class="soft">${picked.problem ? "not known" : "the rules are being asked…"}</span>`
        }</span
      >
      <span class="why">${verdict ? this.why(verdict) : nothing}</span>
    </button>`;
  }

  private dragLeft(event: DragEvent, host: string): void {
    const to = event.relatedTarget as Node | null;
    if (this.over === host && !(event.currentTarget as Element).contains(to)) this.over = null;
  }

  /** What speaks against it; what is only remarked is told in the last step. */
  private why(verdict: Verdict): TemplateResult {
    const against = shown(verdict).filter((finding) => finding.weight !== "info");
    return html`${against.map((finding) => html`<span class="line">${finding.message}</span>`)}
      ${verdict.plan_error ? html`<span class="line">${verdict.plan_error}</span>` : nothing}`;
  }
}

/** Most domains are: what is said of every one says nothing. */
const usual = (domain: Domain) => domain.state === "running" && domain.persistent;
const odd = (domain: Domain) =>
  [domain.state === "running" ? null : plain(domain.state), domain.persistent ? null : "transient"].filter(Boolean).join(", ");

function runs(host: Host): string {
  const hypervisor = [host.hypervisor, host.hypervisor_version].filter(Boolean).join(" ");
  return [hypervisor, host.libvirt_version && `libvirt ${host.libvirt_version}`].filter(Boolean).join(" · ");
}

/** Memory and CPUs as bars; the rest in words. */
function load(host: Host): TemplateResult {
  const total = host.memory_kib ?? 0;
  const used = Math.max(0, total - (host.free_memory_kib ?? total));
  const memory = `${bytes(used * 1024)} of ${bytes(total * 1024)}`;
  return html`${meter(`Memory of ${host.name}`, total ? used / total : 0, `${memory} used`)}
    <p class="tiny soft figures">
      <span>${memory}</span>
      <span>${host.active_domains ?? 0} of ${host.domains ?? 0} active</span>
    </p>
    ${
      // Where libvirt does not tell there is no bar, which would say that the host is idle.
      host.cpu_busy_permille == null
        ? nothing
        : meter(`CPUs of ${host.name}`, host.cpu_busy_permille / 1000, `${percent(host.cpu_busy_permille / 10)} busy`)
    }
    <p class="tiny soft figures">
      <span title="Promised to its domains, of those that it has">${host.vcpus == null ? "" : `${host.vcpus} vCPUs on `}${host.cpus ?? "?"} CPUs</span>
      ${host.cpu_busy_permille == null ? nothing : html`<span>${percent(host.cpu_busy_permille / 10)} busy</span>`}
      ${
        host.outgoing && host.incoming
          ? html`<span title="Migrations at once, of those that may">out ${host.outgoing.used}/${host.outgoing.limit}, in ${host.incoming.used}/${host.incoming.limit}</span>`
          : nothing
      }
    </p>`;
}

function meter(label: string, full: number, says: string): TemplateResult {
  const tone = full > 0.92 ? "full" : full > 0.8 ? "high" : "";
  return html`<div
    class="bar load ${tone}"
    role="meter"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.round(full * 100)}
    aria-valuetext=${says}
  >
    <i ${part(full)}></i>
  </div>`;
}

customElements.define("waypost-hosts", WaypostHosts);
