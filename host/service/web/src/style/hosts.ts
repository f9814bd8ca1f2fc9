import { css } from "lit";

export const hostStyles = css`
  .board {
    display: grid;
    gap: 12px;
  }
  .tools {
    min-height: 32px;
  }
  .hosts {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 275px), 1fr));
    gap: 12px;
    align-items: stretch;
  }
  .filling {
    min-height: 90vh;
    align-content: start;
  }
  .filling .card {
    padding: 14px;
  }
  .card {
    position: relative;
    display: flex;
    flex-direction: column;
    min-height: 232px;
    overflow: hidden;
  }
  .body {
    position: relative;
    flex: 1;
    display: flex;
    flex-direction: column;
    padding-bottom: 6px;
    border-radius: 0 0 var(--r-m) var(--r-m);
  }
  .list {
    display: flex;
    flex-direction: column;
  }
  .load {
    --tone: light-dark(#7c8a9b, #8b98a8);
  }
  .load.high {
    --tone: light-dark(#cf8a12, #e0a03a);
  }
  .load.full {
    --tone: light-dark(#cf3e33, #ef6a5f);
  }
  .figures {
    display: flex;
    flex-wrap: wrap;
    justify-content: space-between;
    gap: 0 10px;
    white-space: nowrap;
  }
  .card header {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 7px;
    padding: 12px 14px 10px;
    border-bottom: 1px solid var(--line);
  }
  /* As high with a badge as without. */
  .card header > .row {
    min-height: 24px;
  }
  .card h3 {
    flex-wrap: nowrap;
    align-items: baseline;
  }
  .card h3 svg {
    color: var(--soft);
  }
  .error {
    color: var(--bad);
    overflow-wrap: anywhere;
  }
  .domains {
    padding: 4px 4px 0;
  }
  .none {
    padding: 10px 14px;
  }
  .whole {
    margin: 2px 8px 0;
    align-self: start;
  }
  .domain {
    position: relative;
    display: grid;
    --grip: 10px;
    grid-template-columns: var(--grip) 8px minmax(0, 1fr) auto auto;
    gap: 7px;
    align-items: center;
    min-height: 32px;
    padding: 1px 4px 1px 2px;
    border-radius: var(--r-s);
  }
  /* However long its destination is called, a name keeps enough to be known by. */
  .domain:has(.to) {
    grid-template-columns: var(--grip) 8px minmax(36%, 1fr) minmax(0, max-content);
  }
  .domain[draggable="true"] {
    cursor: grab;
  }
  .domain[draggable="true"]:hover {
    background: var(--hover);
  }
  .domain.picked {
    background: var(--accent-tint);
    box-shadow: inset 0 0 0 1px var(--accent);
  }
  .grip {
    color: var(--soft);
    opacity: 0;
    line-height: 1;
  }
  .domain:hover .grip,
  .domain:focus-within .grip {
    opacity: 0.8;
  }
  .dot {
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: var(--tone);
  }
  .dot.idle {
    background: transparent;
    box-shadow: inset 0 0 0 2px var(--tone);
  }
  .dot.hollow {
    background: transparent;
    box-shadow: inset 0 0 0 2px var(--tone);
  }
  .name {
    font-size: var(--t-s);
    font-weight: 550;
  }
  .coming .name {
    font-style: italic;
    font-weight: 450;
  }
  .domain .move {
    min-height: 26px;
    padding: 0 9px;
    grid-column: 5;
    font-size: var(--t-s);
    font-weight: 500;
  }
  .domain:hover .move,
  .domain .move:focus-visible {
    color: var(--accent);
    border-color: var(--accent);
  }
  .domain .state {
    grid-column: 4;
  }
  .domain .to {
    min-width: 0;
    gap: 6px;
    padding-inline-end: 8px;
    text-decoration: none;
    color: inherit;
    flex-wrap: nowrap;
    white-space: nowrap;
  }
  .domain .to > .number {
    flex: none;
  }
  .domain a.to:hover {
    text-decoration: underline;
  }
  .thin {
    position: absolute;
    inset: auto 12px 0 34px;
  }
  .thin .bar {
    height: 3px;
    box-shadow: none;
  }
  .target {
    position: absolute;
    inset: 0;
    display: flex;
    flex-direction: column;
    align-items: stretch;
    justify-content: flex-start;
    gap: 6px;
    padding: 10px 14px 12px;
    border: 2px dashed var(--tone);
    border-radius: inherit;
    background: color-mix(in srgb, var(--surface), var(--tint) 62%);
    color: var(--text);
    font-size: var(--t-s);
    font-weight: 400;
    white-space: normal;
    text-align: start;
    overflow: auto;
    scrollbar-width: thin;
  }
  .target:hover,
  .target.open,
  .target:focus-visible {
    border-style: solid;
    background: var(--tint);
  }
  .target:focus-visible {
    box-shadow: inset 0 0 0 2px var(--accent);
    border-radius: inherit;
  }
  .target .verdict {
    color: var(--tone);
    font-size: var(--t-m);
    pointer-events: none;
  }
  .target .why {
    display: grid;
    gap: 5px;
    pointer-events: none;
    overflow-wrap: anywhere;
  }
  .target .line + .line {
    padding-top: 5px;
    border-top: 1px solid color-mix(in srgb, var(--tone) 25%, transparent);
  }
  /* Not by its opacity: what is there can still be read. */
  .picking .domain:not(.picked) {
    color: var(--soft);
  }
  .picking .domain:not(.picked) :is(svg, .dot) {
    opacity: 0.45;
  }
  /* It can't be used meanwhile. */
  .picking .domain:not(.picked) .move {
    visibility: hidden;
  }
  .banner {
    position: sticky;
    bottom: var(--waypost-bottom, 12px);
    z-index: 2;
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 12px;
    padding: 10px 14px;
    border-radius: var(--r-m);
    background: var(--raised);
    border: 1px solid var(--accent);
    box-shadow: 0 8px 28px rgb(8 15 25 / 18%);
  }
  kbd {
    font-family: var(--mono);
    font-size: var(--t-xs);
    border: 1px solid var(--line);
    border-radius: 4px;
    padding: 0 4px;
  }
  @media (hover: none) {
    .grip {
      visibility: hidden;
    }
    .domain {
      --grip: 2px;
      min-height: 44px;
    }
    .domain .move {
      min-height: 40px;
    }
  }
`;
