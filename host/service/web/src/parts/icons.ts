// The icons: strokes on a grid of 16, drawn for these pages. They never speak alone, so they are hidden from readers.

import { html, svg, type TemplateResult } from "lit";

const SHAPES: Record<string, TemplateResult> = {
  arrow: svg`<path d="M2.5 8h10M9 4.5 12.5 8 9 11.5" />`,
  check: svg`<path d="m3.5 8.5 3 3 6-7" />`,
  bar: svg`<circle cx="8" cy="8" r="5.7" /><path d="M5.3 8h5.4" />`,
  back: svg`<path d="M6 3.5 3 6.5l3 3M3 6.5h6.2a3.3 3.3 0 0 1 0 6.6H6.5" />`,
  stop: svg`<rect x="4" y="4" width="8" height="8" rx="1.2" />`,
  pause: svg`<path d="M5.7 4v8M10.3 4v8" stroke-width="2" />`,
  gauge: svg`<path d="M3.3 12.2a5.9 5.9 0 1 1 9.4 0M8 9.4l2.6-3.5" /><path d="M8 9.4h.01" stroke-width="2.4" />`,
  alert: svg`<path d="M8 2.6 14 13H2L8 2.6ZM8 6.6v3M8 11.3v.1" />`,
  cross: svg`<path d="m4 4 8 8M12 4l-8 8" />`,
  clock: svg`<circle cx="8" cy="8" r="5.7" /><path d="M8 4.8V8l2.2 1.4" />`,
  dots: svg`<path d="M3.8 8h.01M8 8h.01M12.2 8h.01" stroke-width="2.4" />`,
  search: svg`<circle cx="7" cy="7" r="4.2" /><path d="m10.2 10.2 3.3 3.3" />`,
  info: svg`<circle cx="8" cy="8" r="5.7" /><path d="M8 7.4v3.4M8 5.1v.1" />`,
  host: svg`<rect x="2.3" y="3" width="11.4" height="4.2" rx="1" /><rect x="2.3" y="8.8" width="11.4" height="4.2" rx="1" /><path d="M4.8 5.1h.01M4.8 10.9h.01" stroke-width="1.8" />`,
  moves: svg`<path d="M2.5 5.2h9.2M9.3 2.7l2.6 2.5-2.6 2.5M13.5 10.8H4.3M6.7 8.3l-2.6 2.5 2.6 2.5" />`,
  grid: svg`<rect x="2.5" y="2.5" width="4.4" height="4.4" rx=".8" /><rect x="9.1" y="2.5" width="4.4" height="4.4" rx=".8" /><rect x="2.5" y="9.1" width="4.4" height="4.4" rx=".8" /><rect x="9.1" y="9.1" width="4.4" height="4.4" rx=".8" />`,
  rules: svg`<path d="M8 2 3 3.8v3.7c0 3 2 5.2 5 6.5 3-1.3 5-3.5 5-6.5V3.8L8 2Z" /><path d="m5.8 8 1.6 1.6L10.3 6.5" />`,
  grip: svg`<path d="M6 4h.01M6 8h.01M6 12h.01M10 4h.01M10 8h.01M10 12h.01" stroke-width="1.9" />`,
  down: svg`<path d="m4 6.2 4 4 4-4" />`,
  right: svg`<path d="m6.2 4 4 4-4 4" />`,
  sun: svg`<circle cx="8" cy="8" r="2.7" /><path d="M8 1.8v1.5M8 12.7v1.5M1.8 8h1.5M12.7 8h1.5M3.6 3.6l1 1M11.4 11.4l1 1M12.4 3.6l-1 1M4.6 11.4l-1 1" />`,
  moon: svg`<path d="M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8Z" />`,
  auto: svg`<circle cx="8" cy="8" r="5.7" /><path d="M8 2.3v11.4a5.7 5.7 0 0 0 0-11.4Z" fill="currentColor" stroke="none" />`,
  again: svg`<path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.6v2.9h-2.9" />`,
  bolt: svg`<path d="M8.8 1.8 3.4 9.1h3.9l-.6 5.1 5.6-7.6H8.3l.5-4.8Z" />`,
  person: svg`<circle cx="8" cy="5.4" r="2.6" /><path d="M3 13.2c.5-2.6 2.4-4 5-4s4.5 1.4 5 4" />`,
  leave: svg`<path d="M6.5 2.8H3.2v10.4h3.3M6.8 8h6.7M11 5.5 13.5 8 11 10.5" />`,
  unlinked: svg`<path d="M6.6 9.4 5.2 10.8a2.4 2.4 0 0 1-3.4-3.4L3.6 5.6M9.4 6.6l1.4-1.4a2.4 2.4 0 0 1 3.4 3.4l-1.8 1.8M3 2.6l10 10.8" />`,
};

export function icon(name: string): TemplateResult {
  return html`<svg
    class="icon"
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
    focusable="false"
  >
    ${SHAPES[name] ?? SHAPES["dots"]}
  </svg>`;
}
