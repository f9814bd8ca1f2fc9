// Small things that several elements show.

import { html, noChange, nothing, type TemplateResult } from "lit";
import { Directive, directive, type ElementPart, type PartInfo, PartType } from "lit/directive.js";
import type { Problem } from "../api/client";
import { fully, moment, percent } from "../text/format";
import { type Mark, pluginMark, standingMark, type Tone, weightMark } from "../text/words";
import { icon } from "./icons";
import { signedOutNote } from "./link";

/** Sets a custom property by script: a style attribute would not pass a strict content security policy. */
class Part extends Directive {
  private before: number | undefined;

  constructor(info: PartInfo) {
    super(info);
    if (info.type !== PartType.ELEMENT) throw new Error("part() stands in the tag of an element");
  }

  render(_part: number): unknown {
    return noChange;
  }

  override update(at: ElementPart, [part]: [number]): unknown {
    if (part !== this.before) (at.element as HTMLElement).style.setProperty("--part", String(part));
    this.before = part;
    return noChange;
  }
}

/** How much of a bar is filled, 0 to 1. */
export const part = directive(Part);

function badge(mark: Mark, more = ""): TemplateResult {
  return html`<span class="badge ${mark.tone}">${icon(mark.icon)}${mark.label}${more ? ` ${more}` : nothing}</span>`;
}

export const standingBadge = (word: string, more = "") => badge(standingMark(word), more);
export const pluginBadge = (word: string) => badge(pluginMark(word));
export const weightBadge = (word: string) => badge(weightMark(word));

/** A moment: short, with date and zone in its title. */
export function when(iso: string | null | undefined): TemplateResult | typeof nothing {
  if (!iso) return nothing;
  return html`<time datetime=${iso} title=${fully(iso)}>${moment(iso)}</time>`;
}

/** How far a task is, in percent. */
export function progress(value: number, tone: Tone, label: string): TemplateResult {
  return html`<div
    class="bar ${tone}"
    role="progressbar"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.floor(value)}
    aria-valuetext=${percent(value)}
  >
    <i ${part(value / 100)}></i>
  </div>`;
}

/** What went wrong, why, and what to do. */
export function problemNote(problem: Problem, attempted: string, again?: () => void): TemplateResult {
  if (problem.denied) return signedOutNote(problem);
  return html`<div class="callout bad" role="alert">
    ${icon("alert")}
    <strong>${attempted}: ${problem.message}</strong>
    ${problem.cause ? html`<span>${problem.cause}</span>` : nothing}
    ${problem.remedy ? html`<span class="soft">${problem.remedy}</span>` : nothing}
    ${again ? html`<span><button @click=${again}>${icon("again")}Try again</button></span>` : nothing}
  </div>`;
}

/** Nothing to show, and why that is no error. */
export function empty(name: string, title: string, text: string | TemplateResult): TemplateResult {
  return html`<div class="empty">${icon(name)}<strong>${title}</strong><span>${text}</span></div>`;
}

/** Lines that stand where something will. */
export function bones(lines: number): TemplateResult {
  return html`<div class="stack" aria-busy="true">
    <span class="hidden" role="status">Loading</span>
    ${Array.from({ length: lines }, () => html`<div class="bones">&nbsp;</div>`)}
  </div>`;
}
