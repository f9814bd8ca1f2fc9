// The design tokens. Every one can be set from outside by the custom property of its name without the `-d` ending; colours
// have a light and a dark value, chosen by `color-scheme`.
//
// Tones keep 4.5:1 as text on their own tint and on the surface, in both schemes.

import { css } from "lit";

export const tokens = css`
  :host {
    color-scheme: light dark;

    --font: var(--waypost-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
    --mono: var(--waypost-font-mono, ui-monospace, "SF Mono", "Cascadia Mono", "Roboto Mono", "DejaVu Sans Mono", monospace);

    /* One scale. */
    --t-xs: 0.75rem;
    --t-s: 0.8125rem;
    --t-m: 0.875rem;
    --t-l: 1rem;
    --t-xl: 1.25rem;
    --t-xxl: 1.625rem;

    --r-s: var(--waypost-radius-small, 5px);
    --r-m: var(--waypost-radius, 9px);

    --surface: var(--waypost-surface, light-dark(#ffffff, #171b21));
    --sunken: var(--waypost-sunken, light-dark(#f3f5f8, #101317));
    --raised: var(--waypost-raised, light-dark(#ffffff, #1d222a));
    --hover: var(--waypost-hover, light-dark(#f1f4f8, #222832));
    --line: var(--waypost-line, light-dark(#dfe4ea, #2c333d));
    --line-strong: var(--waypost-line-strong, light-dark(#8792a1, #6b7685));
    --text: var(--waypost-text, light-dark(#18202a, #e6eaf0));
    --soft: var(--waypost-text-soft, light-dark(#566171, #a1acba));

    --accent: var(--waypost-accent, light-dark(#0b6a62, #56c7b8));
    --on-accent: var(--waypost-on-accent, light-dark(#ffffff, #06211e));
    --accent-tint: var(--waypost-accent-tint, light-dark(#e2f3f0, #14322f));

    --idle: light-dark(#566171, #a1acba);
    --idle-tint: light-dark(#eceff3, #262c35);
    --busy: var(--waypost-busy, light-dark(#1b5fc1, #7fb2ff));
    --busy-tint: var(--waypost-busy-tint, light-dark(#e6effc, #172a46));
    --good: var(--waypost-good, light-dark(#1a6e3c, #6fce92));
    --good-tint: var(--waypost-good-tint, light-dark(#e3f4e9, #15301f));
    --note: var(--waypost-note, light-dark(#6b47b8, #bfa3f7));
    --note-tint: var(--waypost-note-tint, light-dark(#f0eafc, #2b2242));
    --warn: var(--waypost-warn, light-dark(#855400, #eeb457));
    --warn-tint: var(--waypost-warn-tint, light-dark(#fdf1d9, #37290f));
    --bad: var(--waypost-bad, light-dark(#b3261e, #ff9288));
    --bad-tint: var(--waypost-bad-tint, light-dark(#fce8e6, #43201d));
    --dead: var(--waypost-dead, light-dark(#9c1458, #ff8fbe));
    --dead-tint: var(--waypost-dead-tint, light-dark(#fbe6f0, #421a2e));

    --shadow: light-dark(
      0 1px 2px rgb(16 24 40 / 6%),
      0 1px 2px rgb(0 0 0 / 40%)
    );
    --ring: 0 0 0 2px var(--surface), 0 0 0 4px var(--accent);
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
`;
