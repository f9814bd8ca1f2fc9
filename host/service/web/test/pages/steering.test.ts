// What is done about a transfer that runs: each limit, post-copy and the pause, where it may be done, and why not elsewhere.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, open } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

const named = (name: string | RegExp) => ({ name, exact: true });

test("post-copy is offered where it was allowed, and elsewhere says why it can’t be", async () => {
  const allowed = { domain: "warehouse", to: "kvm1", options: { stream: { post_copy: true } } };
  const site = await open(browser, { fleet: { pace: 40 }, begun: [allowed, { domain: "db1", to: "kvm1" }] });
  const { page, fake } = site;
  const [task, other] = [...fake.tasks.values()].filter((one) => !one.outcome);
  const switches = page.getByRole("button", named("Post-copy"));
  await page.goto(`${site.url}#/migrations/${other.id}`);
  await page.getByRole("heading", { name: "db1 Moving" }).waitFor();
  await expect.poll(() => switches.getAttribute("title")).toBe("Post-copy was not allowed when the migration was asked for.");
  expect(await switches.getAttribute("aria-disabled")).toBe("true");
  await page.goto(`${site.url}#/migrations/${task.id}`);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  await switches.click();
  await page.locator("waypost-dialog").getByRole("button", named("Post-copy")).click();
  await expect.poll(() => task.made.post).toBe(true);
  await expect.poll(() => switches.getAttribute("title")).toBe("The guest runs on the destination already.");
  await page.getByRole("heading", { name: "warehouse Completed" }).waitFor({ timeout: 40_000 });
  await site.close();
});

test("a transfer that does not converge is helped, and what is refused says what to do", async () => {
  const allowed = { domain: "warehouse", to: "kvm1", options: { stream: { post_copy: true } } };
  const site = await open(browser, { fleet: { pace: 40 }, begun: [allowed] });
  const { page, fake } = site;
  const task = [...fake.tasks.values()].find((one) => !one.outcome);
  await page.goto(`${site.url}#/migrations/${task.id}`);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  await page.getByRole("button", named("Post-copy")).click();
  // The service has the last word, whatever it said before.
  task.made.options = {};
  await page.locator("waypost-dialog").getByRole("button", named("Post-copy")).click();
  await page.getByText("Post-copy was not done: the migration was not begun with post-copy").waitFor();
  await page.getByText("allow post-copy when it is begun").waitFor();
  await page.getByRole("button", named("More downtime")).click();
  const dialog = page.locator("waypost-dialog");
  const go = dialog.getByRole("button", named("More downtime"));
  expect(await go.isDisabled()).toBe(true);
  await dialog.getByLabel("Downtime, ms").fill("1500");
  await go.click();
  await expect.poll(() => task.made.downtime).toBe(1500);
  await page.getByRole("button", named("Bandwidth")).click();
  const limit = dialog.getByRole("button", named("Bandwidth"));
  expect(await limit.isDisabled()).toBe(true);
  await dialog.getByLabel("Bandwidth, MiB/s").fill("96");
  await limit.click();
  await expect.poll(() => task.made.options.bandwidth_mib_s).toBe(96);
  await page.getByRole("button", named("Pause the guest")).click();
  await page.locator("waypost-dialog").getByRole("button", named("Pause the guest")).click();
  // It dirties faster than the way carries, so without that it would never have ended.
  await page.getByRole("heading", { name: "warehouse Completed" }).waitFor({ timeout: 40_000 });
  await site.close();
});

test("a guest is slowed down where auto-converge was allowed, within the bounds that the service tells", async () => {
  const stream = { auto_converge: true, auto_converge_initial: 30 };
  const allowed = { domain: "warehouse", to: "kvm1", options: { stream } };
  const site = await open(browser, { fleet: { pace: 40 }, begun: [allowed, { domain: "db1", to: "kvm1" }] });
  const { page, fake } = site;
  const [task, other] = [...fake.tasks.values()].filter((one) => !one.outcome);
  const slow = page.getByRole("button", named("Slow the guest"));
  await page.goto(`${site.url}#/migrations/${other.id}`);
  await page.getByRole("heading", { name: "db1 Moving" }).waitFor();
  await expect.poll(() => slow.getAttribute("title")).toContain("Auto-converge was not allowed when the migration was asked for");
  expect(await slow.getAttribute("aria-disabled")).toBe("true");
  await page.goto(`${site.url}#/migrations/${task.id}`);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  await expect.poll(() => slow.getAttribute("aria-disabled")).toBe("false");
  await slow.click();
  const dialog = page.locator("waypost-dialog");
  const go = dialog.getByRole("button", named("Slow the guest"));
  const percent = dialog.getByLabel("Slowed down by at most, %");
  expect(await go.isDisabled()).toBe(true);
  for (const outside of ["29", "100"]) {
    await percent.fill(outside);
    expect(await go.isDisabled(), outside).toBe(true);
  }
  await percent.fill("70");
  await go.click();
  await expect.poll(() => task.made.throttle).toBe(70);
  await page.getByText("Guest slowed by").waitFor();
  // It dirties faster than the way carries, so without that it would never have ended.
  await page.getByRole("heading", { name: "warehouse Completed" }).waitFor({ timeout: 40_000 });
  await site.close();
});

test("a guest that the service does not slow down stays as fast, and the page says why", async () => {
  const allowed = { domain: "warehouse", to: "kvm1", options: { stream: { auto_converge: true } } };
  const site = await open(browser, { fleet: { pace: 40 }, begun: [allowed] });
  const { page, fake } = site;
  const task = [...fake.tasks.values()].find((one) => !one.outcome);
  await page.goto(`${site.url}#/migrations/${task.id}`);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  const slow = page.getByRole("button", named("Slow the guest"));
  await expect.poll(() => slow.getAttribute("aria-disabled")).toBe("false");
  await slow.click();
  const dialog = page.locator("waypost-dialog");
  await dialog.getByLabel("Slowed down by at most, %").fill("50");
  // The service has the last word, whatever it said before.
  task.made.options = {};
  await dialog.getByRole("button", named("Slow the guest")).click();
  await page.getByText("Slow the guest was not done: the migration was not begun with auto-converge").waitFor();
  await page.getByText("allow auto-converge when it is begun").waitFor();
  expect(task.made.throttle).toBeUndefined();
  await site.close();
});
