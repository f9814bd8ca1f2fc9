// What all elements have in common: which service they talk to, the look, and how they say what happened.

import { type CSSResultGroup, LitElement, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { Client, type Problem } from "../api/client";
import { Live } from "../live/live";
import { may } from "../live/who";
import { linkNote } from "../parts/link";
import { problemNote } from "../parts/small";
import { sheet } from "../style/sheet";

/** The window's event that colours are others now, though the viewer's scheme is what it was. */
export const RECOLOUR = "waypost-recolour";

interface Service {
  base?: string | null;
  token?: string | null;
}

let common: Service = {};
const elements = new Set<WaypostElement>();

/** Sets the service for all elements of the page that name none themselves. */
export function configure(service: Service): void {
  common = { ...service };
  for (const element of elements) element.requestUpdate();
}

export abstract class WaypostElement extends LitElement {
  static override properties: PropertyDeclarations = {
    base: { type: String },
    token: { type: String },
    theme: { type: String, reflect: true },
    quiet: { type: Boolean },
  };
  static override styles: CSSResultGroup = [sheet];

  /** URL that `api/v1` is below; without it the place that this module was loaded from. */
  declare base: string | null;
  /** Bearer token; without it the browser's cookies speak for the viewer. */
  declare token: string | null;
  /** `light`, `dark`; without it what the viewer prefers. */
  declare theme: string | null;
  /** The page tells of a lost connection itself. */
  declare quiet: boolean;

  private current: Client | null = null;
  private unwatch: (() => void) | null = null;
  private away = false;
  private deniedTold = false;

  get client(): Client {
    return this.current ?? this.resolve();
  }

  get live(): Live {
    return Live.of(this.client);
  }

  /** Elements that show tasks follow the events. */
  protected get follows(): boolean {
    return false;
  }

  /** The service became known, or another one. */
  protected served(): void {}

  /** Whether the viewer's role permits that; what it does not permit is not offered. */
  protected permits(permission: string): boolean {
    return may(this.live.who, permission);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    elements.add(this);
    if (this.current) this.attach();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    elements.delete(this);
    this.unwatch?.();
    this.unwatch = null;
  }

  protected override willUpdate(_changed: PropertyValues): void {
    const client = this.resolve();
    if (client !== this.current) {
      this.current = client;
      this.attach();
      this.served();
    }
    if (!this.follows && !this.live.who && !this.deniedTold) {
      this.live.know().then(
        () => this.requestUpdate(),
        () => {},
      );
    }
  }

  protected override updated(changed: PropertyValues): void {
    // What is drawn on a canvas keeps the colours that it was drawn in.
    if (changed.has("theme")) dispatchEvent(new Event(RECOLOUR));
  }

  /** Tells the page; answers whether it left the rest to the element. */
  protected tell(name: string, detail: object): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  private resolve(): Client {
    return Client.of(this.base ?? common.base, this.token ?? common.token);
  }

  private attach(): void {
    this.unwatch?.();
    this.deniedTold = false;
    const ends = [this.client.whenDenied((problem) => this.denied(problem))];
    if (this.follows) ends.push(this.live.watch(() => this.hear()));
    this.unwatch = () => ends.forEach((end) => end());
  }

  private hear(): void {
    const { state } = this.live.link;
    if (state === "live") {
      this.deniedTold = false;
      if (this.away) this.back();
    }
    this.away = state === "lost" || state === "denied" || state === "resting" || (this.away && state !== "live");
    this.heard();
  }

  /** Told once, until the service knows again who asks. */
  private denied(problem: Problem): void {
    if (this.deniedTold) return;
    this.deniedTold = true;
    this.requestUpdate();
    if (this.tell("waypost-signed-out", { code: problem.code, detail: problem.message })) this.signedOut();
  }

  /** The service wants to know who asks, and the page around the element does nothing about it. */
  protected signedOut(): void {}

  /** The connection stands again: what could not be read meanwhile can be. */
  protected back(): void {}

  /** What is to be said of the connection. */
  protected linkNote(): TemplateResult | typeof nothing {
    return this.quiet ? nothing : linkNote(this.live);
  }

  /** What went wrong, unless the connection's own note says it. */
  protected problemNote(problem: Problem, attempted: string, again?: () => void): TemplateResult | typeof nothing {
    return problem.denied && this.follows ? nothing : problemNote(problem, attempted, again);
  }

  /** Something happened. */
  protected heard(): void {
    this.requestUpdate();
  }
}
