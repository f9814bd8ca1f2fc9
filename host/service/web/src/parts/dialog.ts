// A dialog around what its user slots in. The browser's own <dialog> keeps the focus inside, gives it back, and closes on Esc.

import { css, html, LitElement, type PropertyValues } from "lit";
import { sheet } from "../style/sheet";
import { icon } from "./icons";

export class WaypostDialog extends LitElement {
  static override properties = { heading: { type: String }, busy: { type: Boolean } };
  static override styles = [
    sheet,
    css`
      :host {
        display: contents;
        color-scheme: inherit;
      }
      dialog {
        font: 400 var(--t-m) / 1.45 var(--font);
        font-variant-numeric: tabular-nums;
        color: var(--text);
        background: var(--raised);
        border: 1px solid var(--line);
        border-radius: calc(var(--r-m) + 4px);
        padding: 0;
        width: min(560px, calc(100vw - 24px));
        max-height: min(84vh, 900px);
        overflow: hidden;
        box-shadow: 0 16px 48px rgb(8 15 25 / 28%);
      }
      dialog[open] {
        display: grid;
        grid-template-rows: auto minmax(0, 1fr) auto;
      }
      dialog::backdrop {
        background: rgb(10 15 22 / 48%);
      }
      header {
        display: flex;
        justify-content: space-between;
        align-items: flex-start;
        gap: 12px;
        padding: 16px 18px 10px;
      }
      h2 {
        font-size: var(--t-l);
        overflow-wrap: anywhere;
      }
      header button {
        margin: -4px -8px 0 0;
        width: 32px;
        padding: 0;
      }
      .body {
        padding: 2px 18px 16px;
        overflow: auto;
        scrollbar-width: thin;
      }
      footer {
        display: flex;
        flex-wrap: wrap;
        justify-content: flex-end;
        gap: 8px;
        padding: 12px 18px;
        border-top: 1px solid var(--line);
        background: var(--sunken);
      }
    `,
  ];

  declare heading: string;
  declare busy: boolean;

  private get dialog(): HTMLDialogElement {
    return this.renderRoot.querySelector("dialog")!;
  }

  protected override firstUpdated(_changed: PropertyValues): void {
    this.dialog.showModal();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.dialog?.close();
  }

  protected override render() {
    return html`<dialog
      aria-labelledby="heading"
      @cancel=${(event: Event) => this.busy && event.preventDefault()}
      @close=${() => this.dispatchEvent(new Event("done"))}
      @click=${(event: Event) => event.target === this.dialog && this.close()}
    >
      <header>
        <h2 id="heading">${this.heading}</h2>
        <button class="quiet" aria-label="Close" ?disabled=${this.busy} @click=${this.close}>${icon("cross")}</button>
      </header>
      <div class="body" tabindex="-1"><slot></slot></div>
      <footer><slot name="actions"></slot></footer>
    </dialog>`;
  }

  /** Closes it, unless something is under way. */
  close(): void {
    if (!this.busy) this.dialog.close();
  }
}

customElements.define("waypost-dialog", WaypostDialog);
