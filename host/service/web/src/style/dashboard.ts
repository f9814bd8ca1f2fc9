import { css } from "lit";

export const dashboardStyles = css`
  :host {
    /* A container would hold what is fixed to the window. */
    container-type: normal;
    min-height: 100vh;
    min-height: 100dvh;
    display: flex;
    flex-direction: column;
    background: var(--sunken);
  }
  :host > * {
    min-width: 0;
  }
  waypost-hosts,
  waypost-migrations,
  waypost-migration,
  waypost-readiness,
  waypost-plugins,
  waypost-decisions {
    color-scheme: inherit;
  }
  .skip {
    position: absolute;
    inset: -60px auto auto 12px;
    z-index: 10;
    background: var(--raised);
    padding: 8px 12px;
    border-radius: var(--r-s);
  }
  .skip:focus {
    top: 10px;
  }
  .top {
    position: sticky;
    top: 0;
    z-index: 5;
    display: flex;
    align-items: stretch;
    gap: 22px;
    padding: 0 24px;
    min-height: 56px;
    background: var(--surface);
    border-bottom: 1px solid var(--line);
  }
  .brand {
    display: flex;
    align-items: center;
    gap: 9px;
    color: var(--text);
    text-decoration: none;
    font-size: var(--t-l);
    font-weight: 700;
    letter-spacing: -0.015em;
  }
  .brand svg {
    width: 24px;
    height: 24px;
    fill: var(--accent);
  }
  nav {
    display: flex;
    gap: 2px;
  }
  nav a {
    position: relative;
    display: flex;
    align-items: center;
    gap: 7px;
    padding: 0 12px;
    color: var(--soft);
    text-decoration: none;
    font-weight: 550;
    font-size: var(--t-m);
  }
  nav a:hover {
    color: var(--text);
  }
  nav a[aria-current] {
    color: var(--text);
  }
  nav a[aria-current]::after {
    content: "";
    position: absolute;
    inset: auto 10px -1px;
    height: 2px;
    border-radius: 2px;
    background: var(--accent);
  }
  nav a:focus-visible {
    box-shadow: inset 0 0 0 2px var(--accent);
  }
  .count {
    font-size: var(--t-xs);
    line-height: 1;
    padding: 3px 6px;
    border-radius: 99px;
    color: var(--busy);
    background: var(--busy-tint);
  }
  .end {
    margin-inline-start: auto;
    gap: 10px;
    flex-wrap: nowrap;
  }
  .link {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    color: var(--soft);
    font-weight: 550;
    white-space: nowrap;
  }
  .link i {
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: var(--tone);
  }
  .link.bad,
  .link.warn {
    color: var(--tone);
  }
  .who {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    min-width: 0;
    padding-inline-start: 10px;
    border-inline-start: 1px solid var(--line);
    white-space: nowrap;
  }
  .who svg {
    color: var(--soft);
    font-size: 14px;
  }
  .who b {
    font-weight: 600;
    max-width: 16ch;
  }
  div.out {
    max-width: 460px;
    margin: min(12vh, 110px) auto;
    display: grid;
    gap: 16px;
  }
  .theme {
    width: 34px;
    padding: 0;
    font-size: var(--t-l);
  }
  main {
    flex: 1;
    width: 100%;
    /* What comes below the fold is not pushed around by a page that fills. */
    min-height: 100vh;
    max-width: 1560px;
    margin: 0 auto;
    padding: 22px 24px 40px;
  }
  main:focus {
    outline: none;
    box-shadow: none;
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 2px 14px;
    margin-bottom: 16px;
  }
  h1 {
    margin: 0;
    font-size: var(--t-xxl);
    font-weight: 680;
    letter-spacing: -0.022em;
    line-height: 1.2;
    overflow-wrap: anywhere;
  }
  h1:focus {
    outline: none;
    box-shadow: none;
  }
  .back {
    flex-basis: 100%;
    display: flex;
    align-items: center;
    gap: 6px;
    text-decoration: none;
  }
  /* Over the page, so that it moves nothing. */
  .notices {
    position: fixed;
    inset: auto 24px 16px auto;
    z-index: 6;
    display: grid;
    gap: 8px;
    width: min(400px, calc(100vw - 28px));
  }
  .notices .callout {
    box-shadow: 0 10px 32px rgb(8 15 25 / 24%);
  }
  .notices button.quiet {
    width: 30px;
    min-height: 26px;
  }
  .hosts {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 340px;
    gap: 20px;
    align-items: start;
  }
  .hosts aside h2 {
    font-size: var(--t-m);
  }
  .hosts aside h2:first-child {
    line-height: 32px;
  }
  .hosts aside h2 + * + h2 {
    margin-top: 6px;
  }
  footer {
    padding: 0 24px 18px;
    min-height: 36px;
    text-align: center;
  }
  @media (max-width: 1080px) {
    .hosts {
      grid-template-columns: minmax(0, 1fr);
    }
  }
  @media (max-width: 720px) {
    :host {
      --waypost-bottom: calc(64px + env(safe-area-inset-bottom));
    }
    .notices {
      inset: auto 14px var(--waypost-bottom) 14px;
      width: auto;
    }
    .top {
      padding: 0 14px;
      min-height: 50px;
      gap: 12px;
    }
    .end {
      gap: 8px;
      min-width: 0;
    }
    .who .role,
    button.out span {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    .who b {
      max-width: 9ch;
    }
    main {
      padding: 16px 14px 90px;
    }
    nav {
      position: fixed;
      inset: auto 0 0;
      z-index: 5;
      display: grid;
      grid-template-columns: repeat(4, 1fr);
      background: var(--surface);
      border-top: 1px solid var(--line);
      padding-bottom: env(safe-area-inset-bottom);
    }
    nav a {
      flex-direction: column;
      justify-content: center;
      gap: 2px;
      padding: 8px 0 7px;
      font-size: var(--t-xs);
    }
    nav a svg {
      font-size: 19px;
    }
    nav a[aria-current] {
      color: var(--accent);
    }
    nav a[aria-current]::after {
      inset: -1px 24% auto;
    }
    .count {
      position: absolute;
      inset: 4px auto auto calc(50% + 8px);
    }
    footer {
      padding-bottom: 76px;
    }
  }
`;
