// What rules found, and what it comes to.

import { html, nothing, type TemplateResult } from "lit";
import type { Finding, Verdict } from "../api/types";
import { count } from "../text/format";
import type { Tone } from "../text/words";
import { icon } from "./icons";
import { weightBadge } from "./small";

const ORDER = ["blocker", "warning", "info"];

/** What people are shown, weightiest first: policies in shadow mode are recorded, not shown. */
export function shown(verdict: Verdict): Finding[] {
  const rank = (finding: Finding) => (ORDER.indexOf(finding.weight) + ORDER.length + 1) % (ORDER.length + 1);
  return verdict.findings.filter((finding) => finding.mode !== "shadow").sort((a, b) => rank(a) - rank(b));
}

export interface Summary {
  tone: Tone;
  icon: string;
  word: string;
  /** `2 blockers`. */
  why: string;
  refused: boolean;
}

/** A verdict in a few words. */
export function summary(verdict: Verdict): Summary {
  const of = (weight: string) => shown(verdict).filter((finding) => finding.weight === weight).length;
  const [blockers, warnings, notes] = ORDER.map(of) as [number, number, number];
  if (verdict.decision !== "allowed" || verdict.plan_error) {
    const why = blockers ? count(blockers, "blocker") : "no plan can be made";
    return { tone: "bad", icon: "bar", word: "Refused", why, refused: true };
  }
  if (warnings) return { tone: "warn", icon: "alert", word: "Allowed", why: count(warnings, "warning"), refused: false };
  return { tone: "good", icon: "check", word: "Allowed", why: notes ? count(notes, "note") : "", refused: false };
}

/** The findings in full. */
export function findingList(verdict: Verdict): TemplateResult {
  const all = shown(verdict);
  const unplanned = verdict.plan_error && !all.some((finding) => finding.message === verdict.plan_error);
  if (!all.length && !unplanned) {
    return html`<p class="soft small">Every policy that was asked agrees, and none has a remark.</p>`;
  }
  return html`<ul class="findings">
    ${unplanned ? html`<li><div>${icon("bar")}</div><p>${verdict.plan_error}</p></li>` : nothing}
    ${all.map(
      (finding) => html`<li>
        <div class="row">
          ${weightBadge(finding.weight)}
          <span class="tiny soft"><code>${finding.code}</code> · ${finding.plugin}</span>
        </div>
        <p>${finding.message}</p>
        ${finding.remedy ? html`<p class="remedy"><span class="soft">What helps:</span> ${finding.remedy}</p>` : nothing}
        ${
          finding.evidence.length
            ? html`<dl class="facts tiny">
                ${finding.evidence.map(({ name, value }) => html`<dt>${name}</dt><dd class="mono">${value}</dd>`)}
              </dl>`
            : nothing
        }
      </li>`,
    )}
  </ul>`;
}
