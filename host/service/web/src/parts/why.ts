// Why something is changed, where a person wants to say so: it stands in the service's audit log.

import { html, type TemplateResult } from "lit";

/** The field; the service takes so much of it. */
export function whyField(why: string, take: (why: string) => void, busy = false): TemplateResult {
  return html`<label class="field"><span>Why <span class="soft small">optional; kept in the audit log</span></span><input
    type="text"
    maxlength="500"
    autocomplete="off"
    .value=${why}
    ?disabled=${busy}
    @input=${(event: Event) => take((event.target as HTMLInputElement).value)}
  /></label>`;
}
