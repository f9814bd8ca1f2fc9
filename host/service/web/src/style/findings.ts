import { css } from "lit";

/** Findings, where an element shows them. */
export const findingStyles = css`
  .findings {
    display: grid;
    gap: 12px;
    font-size: var(--t-s);
  }
  .findings li {
    display: grid;
    gap: 4px;
    overflow-wrap: anywhere;
  }
`;
