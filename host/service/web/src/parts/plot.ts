// The course of one transfer: what remains, how fast it goes and how fast the guest makes more, and the downtime to expect.
// Three plots with one cursor. For those who don't see them the figures stand in a list beside it.

import { css, html, LitElement, type PropertyValues, unsafeCSS } from "lit";
import uPlot from "uplot";
import uPlotSheet from "uplot/dist/uPlot.min.css?inline";
import { RECOLOUR } from "../elements/base";
import type { Series } from "../live/series";
import { sheet } from "../style/sheet";
import { bytes, duration, rate } from "../text/format";

interface Curve {
  label: string;
  column: "remaining" | "rate" | "dirty" | "downtime";
  tone: string;
  fill?: boolean;
  dash?: number[];
}

interface Chart {
  title: string;
  height: number;
  show: (value: number) => string;
  /** Whether its highest value has a tick of its own: a limit, which is no round number. */
  tops?: boolean;
  curves: Curve[];
}

const CHARTS: Chart[] = [
  {
    title: "Memory that remains",
    height: 150,
    show: bytes,
    curves: [{ label: "Remaining", column: "remaining", tone: "--busy", fill: true }],
  },
  {
    title: "Transfer and dirty rate",
    height: 130,
    show: rate,
    curves: [
      { label: "Transfer", column: "rate", tone: "--good" },
      { label: "Dirtied", column: "dirty", tone: "--warn", dash: [5, 4] },
    ],
  },
  {
    title: "Downtime to expect",
    height: 140,
    show: duration,
    tops: true,
    curves: [{ label: "Downtime", column: "downtime", tone: "--note" }],
  },
];

/** Ticks on round numbers of the units that are shown. */
const BINARY = Array.from({ length: 60 }, (_, power) => 2 ** power);

/** How much higher a plot is than its highest value. */
const ABOVE = 1.08;

let plots = 0;

export class WaypostPlot extends LitElement {
  static override properties = { series: { attribute: false }, length: { attribute: false } };
  static override styles = [
    unsafeCSS(uPlotSheet),
    sheet,
    css`
      :host {
        color-scheme: inherit;
      }
      figure + figure {
        margin-top: 10px;
      }
      figcaption {
        display: flex;
        flex-wrap: wrap;
        gap: 2px 14px;
        justify-content: space-between;
        align-items: baseline;
        font-size: var(--t-xs);
        color: var(--soft);
        min-height: 18px;
      }
      figcaption b {
        font-weight: 550;
        color: var(--text);
      }
      .key {
        display: inline-flex;
        align-items: center;
        gap: 5px;
        margin-inline-start: 12px;
        white-space: nowrap;
      }
      .key i {
        width: 14px;
        border-top: 2px solid var(--tone);
      }
      .key.dashed i {
        border-top-style: dashed;
      }
      .key output {
        color: var(--text);
        min-width: 5.5em;
        text-align: end;
      }
      .remaining {
        --tone: var(--busy);
      }
      .rate {
        --tone: var(--good);
      }
      .dirty {
        --tone: var(--warn);
      }
      .downtime {
        --tone: var(--note);
      }
      .canvas {
        overflow: hidden;
      }
      .u-hz .u-cursor-x,
      .u-vt .u-cursor-y {
        border-color: var(--line-strong);
      }
    `,
  ];

  declare series: Series | undefined;
  /** Readings that it has: what tells that there are more. */
  declare length: number;

  private plots: uPlot[] = [];
  private readonly resized = new ResizeObserver(() => this.fit());
  private readonly scheme = matchMedia("(prefers-color-scheme: dark)");
  private width = 0;
  private cursor: number | null = null;
  private readonly together = `waypost-${(plots += 1)}`;

  override connectedCallback(): void {
    super.connectedCallback();
    this.scheme.addEventListener("change", this.recolour);
    addEventListener(RECOLOUR, this.recolour);
    this.resized.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.scheme.removeEventListener("change", this.recolour);
    removeEventListener(RECOLOUR, this.recolour);
    this.resized.disconnect();
    this.drop();
  }

  /** The colours of a canvas are fixed when it is drawn. */
  readonly recolour = () => {
    this.drop();
    this.requestUpdate();
  };

  protected override updated(_changed: PropertyValues): void {
    if (!this.plots.length) this.draw();
    else this.plots.forEach((plot, index) => plot.setData(this.data(CHARTS[index]!)));
  }

  private data(chart: Chart): uPlot.AlignedData {
    const series = this.series;
    if (!series) return [[], ...chart.curves.map(() => [])] as unknown as uPlot.AlignedData;
    return [series.at, ...chart.curves.map((curve) => series[curve.column])] as uPlot.AlignedData;
  }

  private draw(): void {
    this.width = this.clientWidth;
    if (!this.width) return;
    // Colours are read from elements, because a custom property is not resolved to one colour.
    const probe = this.renderRoot.querySelector<HTMLElement>(".probe")!;
    const colour = (name: string) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const font = `11px ${getComputedStyle(this).fontFamily}`;
    const [line, soft] = [colour("--line"), colour("--soft")];
    const fade = (tone: string) => {
      probe.style.color = `color-mix(in srgb, var(${tone}) 16%, transparent)`;
      return getComputedStyle(probe).color;
    };
    this.plots = CHARTS.map((chart, index) => {
      const axis = { stroke: soft, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
      const options: uPlot.Options = {
        width: this.width,
        height: chart.height,
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: this.together }, points: { size: 6 }, drag: { x: false, y: false } },
        scales: {
          // From the first reading on: before it there is nothing to see.
          x: { time: false, range: (_u, min, max) => [min ?? 0, Math.max(max ?? 0, (min ?? 0) + 5)] },
          y: { range: (_u, _min, max) => [0, max > 0 ? max * ABOVE : 1] },
        },
        axes: [
          {
            ...axis,
            size: 24,
            space: 70,
            values: (_u, ticks) => ticks.map((tick) => (tick === 0 ? "0" : duration(tick * 1000).replace(".0", ""))),
          },
          {
            ...axis,
            size: 72,
            space: 34,
            ...(chart.tops ? { splits: (_u, _axis, _min, max) => [0, max / ABOVE / 2, max / ABOVE] } : { incrs: BINARY }),
            values: (_u, ticks) => ticks.map(chart.show),
          },
        ],
        series: [
          {},
          ...chart.curves.map((curve) => ({
            stroke: colour(curve.tone),
            width: 1.75,
            spanGaps: false,
            points: { show: false },
            ...(curve.fill ? { fill: fade(curve.tone) } : {}),
            ...(curve.dash ? { dash: curve.dash } : {}),
          })),
        ],
        hooks: {
          setCursor: [
            (plot) => {
              const cursor = plot.cursor.idx ?? null;
              if (index === 0 && cursor !== this.cursor) {
                this.cursor = cursor;
                this.requestUpdate();
              }
            },
          ],
        },
      };
      const place = this.renderRoot.querySelectorAll<HTMLElement>(".canvas")[index]!;
      return new uPlot(options, this.data(chart), place);
    });
  }

  private drop(): void {
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
  }

  private fit(): void {
    const width = this.clientWidth;
    if (!width || width === this.width) return;
    if (!this.plots.length) return this.requestUpdate();
    this.width = width;
    this.plots.forEach((plot, index) => plot.setSize({ width, height: CHARTS[index]!.height }));
  }

  protected override render() {
    const last = (this.series?.length ?? 0) - 1;
    const at = this.cursor !== null && this.cursor <= last ? this.cursor : last;
    return html`<span class="probe" hidden></span>
      ${CHARTS.map(
        (chart) => html`<figure aria-hidden="true">
          <figcaption>
            <b>${chart.title}</b>
            <span>
              ${chart.curves.map((curve) => {
                const value = this.series?.[curve.column][at];
                return html`<span class="key ${curve.column} ${curve.dash ? "dashed" : ""}">
                  <i></i>${curve.label}
                  <output>${value === null || value === undefined ? "–" : chart.show(value)}</output>
                </span>`;
              })}
            </span>
          </figcaption>
          <div class="canvas"></div>
        </figure>`,
      )}`;
  }
}

customElements.define("waypost-plot", WaypostPlot);
