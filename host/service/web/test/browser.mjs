// Debian's chromium, and what axe finds on a page: for the tests of these pages, and for those that drive the program's.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function browse() {
  const executablePath = PLACES.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("no chromium was found: install it (Debian: chromium), or set CHROMIUM to its path");
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

/** What axe finds that is serious or worse, one line each. */
export async function flaws(page) {
  // Through the debugger: the page's own policy lets no script in.
  await page.evaluate(`(() => { ${axe}\n })()`);
  const found = await page.evaluate(async () =>
    (await window.axe.run()).violations.map(({ id, impact, nodes }) => ({
      id,
      impact,
      where: nodes.map((node) => `${JSON.stringify(node.target)}: ${node.failureSummary}`),
    })),
  );
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, where }) => where.map((one) => `${id} at ${one}`));
}
