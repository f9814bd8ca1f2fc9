// The look that all elements share: text, buttons, fields, tables, badges. What only one element has is in its own file.

import { css } from "lit";
import { tokens } from "./tokens";

const base = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    display: block;
    font: 400 var(--t-m) / 1.45 var(--font);
    font-variant-numeric: tabular-nums;
    color: var(--text);
    container-type: inline-size;
    text-align: start;
  }
  :host([hidden]) {
    display: none;
  }
  h2,
  h3,
  h4,
  p,
  dl,
  dd,
  ul,
  ol,
  figure {
    margin: 0;
  }
  ul,
  ol {
    padding: 0;
    list-style: none;
  }
  h2 {
    font-size: var(--t-xl);
    font-weight: 650;
    letter-spacing: -0.012em;
    line-height: 1.25;
  }
  h3 {
    font-size: var(--t-m);
    font-weight: 650;
  }
  h4 {
    font-size: var(--t-s);
    font-weight: 600;
  }
  a {
    color: var(--accent);
    text-decoration-thickness: 1px;
    text-underline-offset: 2px;
  }
  code,
  .mono {
    font-family: var(--mono);
    font-size: 0.92em;
  }
  .soft {
    color: var(--soft);
  }
  .small {
    font-size: var(--t-s);
  }
  .tiny {
    font-size: var(--t-xs);
  }
  .break {
    overflow-wrap: anywhere;
  }
  .ellipsis {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .row {
    display: flex;
    align-items: center;
    gap: 8px;
    flex-wrap: wrap;
  }
  .spread {
    justify-content: space-between;
  }
  .stack {
    display: grid;
    gap: 12px;
  }
  svg.icon {
    width: 1em;
    height: 1em;
    flex: none;
    vertical-align: -0.125em;
  }
  :focus-visible {
    outline: none;
    box-shadow: var(--ring);
    border-radius: var(--r-s);
  }
  @media (forced-colors: active) {
    :focus-visible {
      outline: 2px solid Highlight;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
      scroll-behavior: auto !important;
    }
  }
`;

const controls = css`
  button,
  .button,
  select,
  input:not([type="checkbox"], [type="radio"]) {
    font: inherit;
    font-size: var(--t-s);
    color: inherit;
    min-height: 32px;
    border: 1px solid color-mix(in srgb, var(--line-strong) 55%, var(--line));
    border-radius: var(--r-s);
    background: var(--raised);
    padding: 4px 10px;
  }
  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    cursor: pointer;
    font-weight: 550;
    text-decoration: none;
    white-space: nowrap;
    transition: background-color 0.12s;
  }
  button:where(:hover:not(:disabled, [aria-disabled="true"])),
  .button:hover {
    background: var(--hover);
  }
  button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.primary:where(:hover:not(:disabled)) {
    background: color-mix(in srgb, var(--accent) 88%, var(--text));
  }
  button.danger {
    color: var(--bad);
    border-color: color-mix(in srgb, var(--bad) 45%, var(--line));
  }
  button.danger.primary {
    background: light-dark(#b3261e, #ff9288);
    border-color: transparent;
    color: light-dark(#ffffff, #3a0c08);
  }
  button:disabled,
  button[aria-disabled="true"],
  button.primary:disabled {
    color: var(--soft);
    cursor: not-allowed;
    background: var(--sunken);
    border: 1px dashed var(--line-strong);
  }
  button.quiet {
    border-color: transparent;
    background: transparent;
    color: var(--soft);
    padding-inline: 8px;
  }
  button.quiet:hover:not(:disabled) {
    color: var(--text);
    background: var(--hover);
  }
  button.bare {
    all: unset;
    cursor: pointer;
  }
  button.bare:focus-visible {
    box-shadow: var(--ring);
    border-radius: var(--r-s);
  }
  label.field input,
  label.field select {
    font-weight: 400;
  }
  input::placeholder {
    color: var(--soft);
    opacity: 1;
  }
  input[type="search"] {
    min-width: 0;
    width: 15rem;
    max-width: 100%;
  }
  input[type="checkbox"],
  input[type="radio"] {
    accent-color: var(--accent);
    width: 16px;
    height: 16px;
    margin: 0;
    flex: none;
  }
  label.field {
    display: grid;
    gap: 4px;
    font-size: var(--t-s);
    font-weight: 550;
  }
  label.tick {
    display: flex;
    gap: 8px;
    align-items: flex-start;
    font-size: var(--t-s);
  }
  label.tick input {
    margin-top: 2px;
  }
`;

const shapes = css`
  .panel {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--r-m);
    box-shadow: var(--shadow);
  }
  .badge {
    display: inline-flex;
    align-items: center;
    gap: 5px;
    font-size: var(--t-xs);
    font-weight: 600;
    line-height: 1;
    padding: 4px 8px 4px 6px;
    border-radius: 99px;
    white-space: nowrap;
    color: var(--tone);
    background: var(--tint);
  }
  .tag {
    display: inline-block;
    font-size: var(--t-xs);
    line-height: 1.2;
    padding: 2px 6px;
    border: 1px solid var(--line);
    border-radius: var(--r-s);
    color: var(--soft);
    white-space: nowrap;
  }
  .idle {
    --tone: var(--idle);
    --tint: var(--idle-tint);
  }
  .busy {
    --tone: var(--busy);
    --tint: var(--busy-tint);
  }
  .good {
    --tone: var(--good);
    --tint: var(--good-tint);
  }
  .note {
    --tone: var(--note);
    --tint: var(--note-tint);
  }
  .warn {
    --tone: var(--warn);
    --tint: var(--warn-tint);
  }
  .bad {
    --tone: var(--bad);
    --tint: var(--bad-tint);
  }
  .dead {
    --tone: var(--dead);
    --tint: var(--dead-tint);
  }
  .toned {
    color: var(--tone);
  }
  .callout {
    position: relative;
    display: grid;
    gap: 3px;
    padding: 9px 12px 9px 38px;
    border-radius: var(--r-m);
    background: var(--tint);
    border: 1px solid color-mix(in srgb, var(--tone) 32%, transparent);
    font-size: var(--t-s);
    overflow-wrap: anywhere;
  }
  .callout > svg {
    color: var(--tone);
    position: absolute;
    inset: 11px auto auto 12px;
    font-size: 16px;
  }
  .empty {
    display: grid;
    justify-items: center;
    gap: 6px;
    padding: 40px 20px;
    text-align: center;
    color: var(--soft);
    font-size: var(--t-s);
  }
  .empty svg {
    font-size: 26px;
    opacity: 0.75;
  }
  :host([compact]) .empty {
    display: flex;
    align-items: center;
    gap: 8px;
    padding: 12px 14px;
  }
  :host([compact]) .empty svg {
    font-size: 16px;
  }
  :host([compact]) .empty span {
    display: none;
  }
  .empty strong {
    color: var(--text);
    font-size: var(--t-m);
    font-weight: 600;
  }
  .bar {
    position: relative;
    height: 6px;
    border-radius: 99px;
    background: var(--idle-tint);
    overflow: hidden;
    box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--line-strong) 22%, transparent);
  }
  .bar > i {
    position: absolute;
    inset: 0;
    transform-origin: 0 50%;
    transform: scaleX(var(--part, 0));
    background: var(--tone, var(--accent));
    transition: transform 0.25s linear;
  }
  .scroll {
    overflow: auto;
    scrollbar-width: thin;
  }
  table {
    width: 100%;
    border-collapse: collapse;
    font-size: var(--t-s);
  }
  th {
    text-align: start;
    font-weight: 550;
    color: var(--soft);
    font-size: var(--t-xs);
    white-space: nowrap;
    background: var(--surface);
  }
  th,
  td {
    padding: 7px 10px;
    border-bottom: 1px solid var(--line);
    vertical-align: middle;
  }
  tbody tr:last-child > * {
    border-bottom: 0;
  }
  td.number,
  th.number {
    text-align: end;
  }
  dl.facts {
    display: grid;
    grid-template-columns: max-content minmax(0, 1fr);
    gap: 3px 14px;
    font-size: var(--t-s);
  }
  dl.facts dt {
    color: var(--soft);
  }
  dl.facts dd {
    overflow-wrap: anywhere;
  }
  summary {
    cursor: pointer;
  }
  .bones {
    border-radius: var(--r-s);
    background: var(--idle-tint);
    min-height: 1em;
    animation: breathe 1.6s ease-in-out infinite alternate;
  }
  @keyframes breathe {
    to {
      opacity: 0.5;
    }
  }
`;

export const sheet = [tokens, base, controls, shapes];
