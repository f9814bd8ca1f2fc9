// What the last reading of a transfer says, figure by figure: a list beside its plots.

import { html, nothing, type TemplateResult } from "lit";
import { expectedDowntime } from "../live/series";
import type { Task } from "../live/tasks";
import { bytes, duration, rate } from "../text/format";

/** The figures of the last reading; before the first one their places. */
export function figures(task: Task): TemplateResult {
  const { sample } = task;
  const final = sample?.stage === "final";
  const told = <T>(value: T | null | undefined, say: (value: T) => string) => (value === null || value === undefined ? null : say(value));
  const pairs: [string, string | null][] = sample?.stage === "final"
    ? [
        ["Downtime", told(sample.downtime_ms, duration)],
        ["Transfer took", duration(sample.elapsed_ms)],
        ["Moved", bytes(sample.processed_bytes)],
        ["Average rate", sample.bytes_per_s ? rate(sample.bytes_per_s) : null],
      ]
    : [
        ["Remaining", told(sample?.remaining_bytes, bytes)],
        ...(task.ended ? [] : [["Time left, about", told(sample?.remaining_ms, duration)] as [string, string | null]]),
        ["Transfer rate", told(sample?.bytes_per_s, rate)],
        ["Dirty rate", told(sample?.dirty_bytes_per_s, rate)],
        ["Downtime, expected", told(sample && expectedDowntime(sample), duration)],
        ["Pass", told(sample?.iteration, String)],
        ["Elapsed", told(sample?.elapsed_ms, duration)],
        ...(sample?.throttle_percent ? [["Guest slowed by", `${sample.throttle_percent} %`] as [string, string]] : []),
      ];
  return html`<section aria-label=${final ? "What it came to" : "Last reading"}>
    ${task.ended && !final ? html`<h3>The last reading</h3>` : nothing}
    <dl class="figures">
      ${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value ?? html`<span class="soft">–</span>`}</dd></div>`)}
    </dl>
  </section>`;
}
