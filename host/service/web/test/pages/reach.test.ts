// Everybody can use the pages: axe finds nothing serious, in either scheme, at either width; and the policy of the service holds.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, flaws, open, shifted } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

/** How much of a page may jump: half of what browsers call good. */
const STILL = 0.05;

const PAGES: [string, string, string][] = [
  ["#/hosts", "waypost-hosts", "web1"],
  ["#/migrations", "waypost-migrations", "Completed"],
  ["#/readiness", "waypost-readiness", "gpu1"],
  ["#/policies", "waypost-plugins", "precheck-cpu"],
];

for (const scheme of ["light", "dark"] as const) {
  for (const width of [1280, 390]) {
    test(`the pages, ${scheme}, ${width} px wide`, async () => {
      const site = await open(browser, { scheme, width, begun: [{ domain: "db1", to: "kvm1" }] });
      const { page } = site;
      for (const [hash, element, text] of PAGES) {
        await page.goto(`${site.url}${hash}`);
        await page.locator(element).first().getByText(text).locator("visible=true").first().waitFor();
        expect(await flaws(page), hash).toEqual([]);
      }
      const running = [...site.fake.tasks.values()].find((task) => !task.outcome);
      await page.goto(`${site.url}#/migrations/${running.id}`);
      await page.getByText("Memory that remains").waitFor();
      expect(await flaws(page), "a migration").toEqual([]);
      expect(site.complaints).toEqual([]);
      // Nothing is wider than the window.
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      await site.close();
    });
  }
}

test("nothing jumps while a page fills", async () => {
  for (const width of [1280, 390]) {
    for (const [hash, element, text] of PAGES) {
      const site = await open(browser, { hash, width, begun: [{ domain: "db1", to: "kvm1" }] });
      await site.page.locator(element).first().getByText(text).locator("visible=true").first().waitFor();
      await site.page.getByText("Live", { exact: true }).waitFor();
      expect(await shifted(site.page), `${hash}, ${width} px wide`).toBeLessThan(STILL);
      await site.close();
    }
  }
});

test("nothing jumps on the page of a migration, whose figures and plots come last", async () => {
  for (const width of [1280, 390]) {
    const site = await open(browser, { hash: "#/hosts", width, begun: [{ domain: "db1", to: "kvm1" }] });
    const { page, fake } = site;
    const tasks = [...fake.tasks.values()];
    const running = tasks.find((task) => !task.outcome);
    await anew(page, `${site.url}#/migrations/${running.id}`);
    await page.getByText("Memory that remains").waitFor();
    const seen = running.past?.length ?? 0;
    await expect.poll(() => running.past.length, { timeout: 10_000 }).toBeGreaterThan(seen + 3);
    expect(await shifted(page), `a running one, ${width} px wide`).toBeLessThan(STILL);
    // And once it is over, as whoever opens it then sees it: with its plots, and where none are on record.
    fake.end(running, "cancelled", "db1 is running on kvm2, and nothing of this migration is left on kvm1");
    for (const task of [running, tasks.find((one) => one.outcome?.kind === "completed")]) {
      await anew(page, `${site.url}#/migrations/${task.id}`);
      await page.getByText(task.outcome.summary).first().waitFor();
      await page.getByText("Live", { exact: true }).waitFor();
      if (task.past) await page.getByText("Memory that remains").waitFor();
      expect(await shifted(page), `${task.outcome.kind}, ${width} px wide`).toBeLessThan(STILL);
    }
    await site.close();
  }
});

test("nothing jumps while a domain is dragged and put down", async () => {
  // The answer takes longer than the half second in which browsers put every jump down to whoever pressed a button.
  const site = await open(browser, { fleet: { history: false, pace: 0.3 } });
  const { page, fake } = site;
  let answer = () => {};
  const asked = new Promise<void>((resolve) => void (answer = resolve));
  await page.route("**/api/v1/checks", async (route) => {
    await asked;
    await route.continue();
  });
  const row = page.getByRole("listitem").filter({ hasText: "web4" });
  await row.waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  const places = () =>
    page.locator("waypost-hosts .card, waypost-hosts .domain").evaluateAll((all) => all.map((one) => JSON.stringify(one.getBoundingClientRect())));
  const before = await places();
  expect(before.length).toBeGreaterThan(fake.hosts.length);
  const from = (await row.boundingBox())!;
  await page.mouse.move(from.x + 60, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(from.x + 80, from.y + 30, { steps: 4 });
  await page.getByRole("button", { name: /^Move web4 to kvm1: the rules are being asked/ }).waitFor();
  expect(await places(), "picked up").toEqual(before);
  answer();
  const target = page.getByRole("button", { name: /^Move web4 to kvm1: Allowed/ });
  await target.waitFor();
  expect(await places(), "with what the rules say").toEqual(before);
  const to = (await target.boundingBox())!;
  await page.mouse.move(to.x + 40, to.y + 40, { steps: 6 });
  await expect.poll(() => target.evaluate((element) => element.classList.contains("open"))).toBe(true);
  expect(await places(), "over a host").toEqual(before);
  await page.mouse.up();
  await page.getByRole("dialog", { name: "Move web4 to kvm1" }).waitFor();
  expect(await places(), "put down").toEqual(before);
  expect(await shifted(page)).toBeLessThan(STILL);
  await site.close();
});

/** The page as it is when it is loaded there, and not when it is turned to: what jumped before counts no more. */
async function anew(page: Page, url: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(url);
}

test("what opens on the pages", async () => {
  const site = await open(browser, { hash: "#/hosts" });
  const { page } = site;
  await page.getByRole("button", { name: "Move web1", exact: true }).click();
  await page.getByRole("button", { name: /Move web1 to kvm2: Allowed 1 note/ }).waitFor();
  expect(await flaws(page), "while a domain is picked up").toEqual([]);
  await page.getByRole("button", { name: /Move web1 to kvm2: Allowed 1 note/ }).click();
  await page.locator("summary").filter({ hasText: "Choices" }).click();
  expect(await flaws(page), "the last step").toEqual([]);
  await page.keyboard.press("Escape");

  await page.goto(`${site.url}#/policies`);
  await page.getByRole("button", { name: /precheck-cpu/ }).click();
  await page.getByRole("button", { name: "What it was given" }).first().click();
  await page.getByText("Facts it read").waitFor();
  expect(await flaws(page), "a policy's decisions").toEqual([]);

  const stuck = [...site.fake.tasks.values()].find((task) => task.outcome?.kind === "stuck");
  await page.goto(`${site.url}#/migrations/${stuck.id}`);
  await page.getByRole("button", { name: "Look now" }).click();
  await page.getByText("Can’t be asked").waitFor();
  await page.getByText("Records and decisions").click();
  await page.getByText("What policies decided").waitFor();
  expect(await flaws(page), "a stuck migration").toEqual([]);
  expect(site.complaints).toEqual([]);
  await site.close();
});
