// A window with the dashboard: looked at in light and dark, with what axe finds, and kept as a picture where that is asked for.

import { mkdir, writeFile } from "node:fs/promises";
import { flaws } from "../../host/service/web/test/browser.mjs";

const { PICTURES } = process.env;
/** What may take as long as a migration does, ms. */
export const LONG = 180_000;

export class Screen {
  static async open(browser, scheme = "light") {
    const context = await browser.newContext({
      // The certificate was made for this run; that nobody vouches for it is no news.
      ignoreHTTPSErrors: true,
      viewport: { width: 1440, height: 900 },
      colorScheme: scheme,
      // A colour that is on its way to another one is neither.
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    return new Screen(page);
  }

  /** What was looked at, and what it looked like: name and PNG. */
  seen = [];
  pictures = [];
  /** What the browser complained about; a request that is refused on purpose is told by its own line. */
  complaints = [];

  constructor(page) {
    this.page = page;
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(error.message));
  }

  /** In both schemes: nothing serious may be found. */
  async look(name) {
    for (const scheme of ["light", "dark"]) {
      await this.page.emulateMedia({ colorScheme: scheme });
      const found = await flaws(this.page);
      if (found.length) throw new Error(`${name}, ${scheme}:\n${found.join("\n")}`);
      if (PICTURES) this.pictures.push([`${name}-${scheme}`, await this.page.screenshot({ animations: "disabled", caret: "hide" })]);
    }
    this.seen.push(name);
    console.log(`${name}: nothing serious in light and dark`);
  }

  /** Keeps the pictures. */
  async keep() {
    if (!PICTURES) return;
    await mkdir(PICTURES, { recursive: true });
    for (const [name, png] of this.pictures) await writeFile(`${PICTURES}/${name}.png`, png);
  }

  /** The row of a domain on the hosts' page. */
  domain(name) {
    return this.page.locator("waypost-hosts li.domain").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  /** What a host says to the domain that is picked up. */
  target(domain, host, verdict) {
    return this.page.getByRole("button", { name: new RegExp(`^Move ${domain} to ${host}: ${verdict}`) });
  }

  heading(text) {
    return this.page.getByRole("heading", { name: text, exact: true });
  }

  async go(hash) {
    await this.page.evaluate((to) => (location.hash = to), hash);
  }
}

/** Waits until something holds that is asked for again and again. */
export async function until(what, holds, most = 60_000) {
  const end = Date.now() + most;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`after ${most / 1000} s still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
