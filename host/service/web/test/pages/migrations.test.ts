// The course of one migration as it is drawn, and the list of all that ever were.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, open } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

const CURVES = ["remaining", "rate", "dirty", "downtime"];

/** The curves that are seen in their plots in the colour of their keys, and of which a figure is told beside them. */
const drawn = (page: Page) =>
  page.locator("waypost-plot figure").evaluateAll((figures) =>
    figures.flatMap((figure) => {
      const canvas = figure.querySelector("canvas");
      if (!canvas) return [];
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return [...figure.querySelectorAll(".key")]
        .filter((key) => /\d/.test(key.querySelector("output")!.textContent!))
        .filter((key) => {
          const tone = getComputedStyle(key.querySelector("i")!).borderTopColor.match(/\d+/g)!.map(Number);
          // What is filled below a curve lets most of the ground through.
          return data.some((part, at) => at % 4 === 3 && part > 128 && tone.every((one, index) => Math.abs(one - data[at - 3 + index]!) < 24));
        })
        .map((key) => key.classList[1]!);
    }),
  );

test("memory, both rates and the downtime are plotted, and in the colours that are chosen later", async () => {
  const site = await open(browser, { scheme: "dark", fleet: { pace: 2 }, begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  const task = [...fake.tasks.values()].find((one) => !one.outcome);
  await page.goto(`${site.url}#/migrations/${task.id}`);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  await expect.poll(() => drawn(page)).toEqual(CURVES);
  // No reading comes any more with which it would be drawn again.
  fake.end(task, "cancelled", "warehouse is running on kvm4, and nothing of this migration is left on kvm1");
  await page.getByRole("heading", { name: "warehouse Cancelled" }).waitFor();
  await page.getByRole("button", { name: "Colours: As the system. Change to: Light" }).click();
  await page.getByRole("button", { name: "Colours: Light. Change to: Dark" }).waitFor();
  await expect.poll(() => drawn(page)).toEqual(CURVES);
  await site.close();
});

test("the history is narrowed to a state and a domain, and paged back to its end", async () => {
  const site = await open(browser, { hash: "#/migrations" });
  const { page, fake } = site;
  await page.getByRole("link", { name: /ldap1.*Stuck/ }).waitFor();
  // More than the newest hundred, which the page knows from the beginning.
  for (let day = 30; day < 90; day += 1) {
    fake.remember({ domain: "mail", source: "kvm1", destination: "kvm3", kind: "completed", summary: `mail moved ${day} days ago`, minutes: day * 1440 });
  }
  await page.reload();
  const ids = (fits: (task: { domain: string; outcome: { kind: string } }) => boolean): string[] =>
    [...fake.tasks.values()].filter(fits).sort((a, b) => (a.created_at < b.created_at ? 1 : -1)).map((task) => task.id);
  const rows = () => page.locator("waypost-migrations a.line").evaluateAll((all) => all.map((one) => one.getAttribute("href")!.split("/").at(-1)!));
  const older = page.getByRole("button", { name: "Older migrations", exact: true });
  const back = async (wanted: string[]) => {
    for (let most = 50; most < wanted.length; most += 50) {
      await expect.poll(rows).toEqual(wanted.slice(0, most));
      await older.click();
    }
    await expect.poll(rows).toEqual(wanted);
    await older.waitFor({ state: "detached" });
  };
  const all = ids(() => true);
  expect(all.length).toBeGreaterThan(100);
  await back(all);
  const state = page.getByRole("combobox", { name: "State" });
  const domain = page.getByRole("searchbox", { name: "Domain" });
  await state.selectOption("stuck");
  await back(ids((task) => task.outcome.kind === "stuck"));
  await state.selectOption("completed");
  await back(ids((task) => task.outcome.kind === "completed"));
  await domain.fill("web1");
  await domain.press("Enter");
  await back(ids((task) => task.outcome.kind === "completed" && task.domain === "web1"));
  await state.selectOption("lost");
  await page.getByText("No such migration").waitFor();
  await domain.fill("");
  await domain.press("Enter");
  await page.getByRole("link", { name: /fax.*Lost/ }).waitFor();
  await back(ids((task) => task.outcome.kind === "lost"));
  await site.close();
});
