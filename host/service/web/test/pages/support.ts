// A browser, the pages of `dist` as the program serves them, and a fleet that is made up.

import type { Browser, Page } from "playwright-core";
// @ts-expect-error: plain script
import { Fake } from "../../dev/fake.mjs";
// @ts-expect-error: plain script
import { serve } from "../../dev/serve.mjs";
// @ts-expect-error: plain script
import * as driven from "../browser.mjs";

export const browse: () => Promise<Browser> = driven.browse;
/** What axe finds that is serious or worse, one line each. */
export const flaws: (page: Page) => Promise<string[]> = driven.flaws;

/** Serves pages of somebody else beside those of `dist`. */
export const serveToo = serve as (options: object) => Promise<{ url: string; close(): Promise<void> }>;
export { Fake };

export interface Site {
  url: string;
  fake: InstanceType<typeof Fake>;
  page: Page;
  /** What the browser complained about: violations of the content security policy among it. */
  complaints: string[];
  close(): Promise<void>;
}

/** A page at that place. */
export async function open(
  browser: Browser,
  {
    hash = "",
    path = "",
    fleet = {} as object,
    more = {} as Record<string, string>,
    width = 1280,
    scheme = "light" as "light" | "dark",
    begun = [] as object[],
    /** A script that runs before those of the page. */
    before = "",
  } = {},
): Promise<Site> {
  const fake = new Fake({ pace: 8, ...fleet });
  for (const task of begun) fake.make(task, "anna");
  const server = await serve({ fake, more });
  // A colour that is on its way to another one is neither.
  const context = await browser.newContext({ viewport: { width, height: 860 }, colorScheme: scheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(12_000);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  if (before) await page.addInitScript(before);
  await page.addInitScript(() => {
    const seen = window as unknown as { shifted: number };
    seen.shifted = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { hadRecentInput: boolean; value: number })[]) {
        if (!entry.hadRecentInput) seen.shifted += entry.value;
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(`${server.url}${path}${hash}`);
  const close = async () => {
    await context.close();
    fake.stop();
    await server.close();
  };
  return { url: server.url, fake, page, complaints, close };
}

/** How much of the page jumped, as browsers measure it; up to 0.1 counts as good. */
export function shifted(page: Page): Promise<number> {
  return page.evaluate(() => (window as unknown as { shifted: number }).shifted);
}
