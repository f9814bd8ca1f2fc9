// The dashboard while the service is away, busy or another one than before, and what it makes up for afterwards.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, open } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

test("a lost connection is told, and what happened meanwhile is made up for", async () => {
  const site = await open(browser, { hash: "#/migrations", begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  await page.getByRole("link", { name: /warehouse.*Moving/ }).waitFor();
  fake.make({ domain: "search2", to: "kvm1" }, "ben");
  await page.getByRole("link", { name: /search2.*Moving/ }).waitFor();
  fake.down = true;
  fake.cut();
  await page.getByText(/Connection lost at/).waitFor();
  await page.getByText("Migrations go on without this page").waitFor();
  const task = [...fake.tasks.values()].find((one) => !one.outcome);
  fake.end(task, "stuck", "warehouse is paused on kvm4; nothing more is done");
  fake.make({ domain: "web4", to: "kvm1" }, "ben");
  const seen = fake.sequence;
  fake.make({ domain: "web5", to: "kvm1" }, "ben");
  fake.down = false;
  await page.getByRole("link", { name: /warehouse.*Stuck/ }).waitFor();
  await page.getByRole("link", { name: /web4/ }).first().waitFor();
  await page.getByRole("link", { name: /web5/ }).first().waitFor();
  await page.getByText(/Connection lost at/).waitFor({ state: "detached" });
  // It went on after the last event that it had seen.
  expect(fake.resumedAfter).toBeLessThan(seen);
  expect(fake.resumedAfter).toBeGreaterThan(0);
  await site.close();
});

test("a plot that is shown is filled again after the connection was lost", async () => {
  const site = await open(browser, { fleet: { pace: 2 }, begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  const task = [...fake.tasks.values()].find((one) => !one.outcome);
  let filled = 0;
  page.on("request", (request) => void (request.url().endsWith("/samples") && (filled += 1)));
  await page.goto(`${site.url}#/migrations/${task.id}`);
  await page.locator("waypost-plot canvas").first().waitFor();
  expect(filled).toBe(1);
  fake.down = true;
  fake.cut();
  await page.getByText(/Connection lost at/).waitFor();
  fake.down = false;
  await page.getByText("Live", { exact: true }).waitFor();
  await expect.poll(() => filled).toBe(2);
  await site.close();
});

test("a migration that the service does not have any more is not listed as it once was", async () => {
  const site = await open(browser, { hash: "#/migrations", fleet: { pace: 2, history: false }, begun: ["warehouse", "search2"].map((domain) => ({ domain, to: "kvm1" })) });
  const { page, fake } = site;
  for (const name of [/warehouse.*Moving/, /search2.*Moving/]) await page.getByRole("link", { name }).waitFor();
  const task = [...fake.tasks.values()].find((one) => one.domain === "warehouse");
  fake.tasks.delete(task.id);
  fake.write(task, "ended");
  await page.getByRole("link", { name: /warehouse/ }).waitFor({ state: "detached" });
  expect(await page.getByRole("link", { name: /search2.*Moving/ }).count()).toBe(1);
  await site.close();
});

test("pages that were opened while the service was away fill themselves", async () => {
  const site = await open(browser, { fleet: { history: true } });
  const { page, fake } = site;
  await page.getByText("web1", { exact: true }).waitFor();
  fake.down = true;
  fake.cut();
  await page.goto(`${site.url}#/migrations`);
  await page.reload();
  await page.getByText("Not connected: the service does not answer").waitFor();
  await page.getByText("Not known").waitFor();
  fake.down = false;
  await page.getByRole("link", { name: /ldap1.*Stuck/ }).waitFor();
  await page.getByText("Not connected").waitFor({ state: "detached" });
  await page.getByText("Older migrations").waitFor();
  await site.close();
});

test("a service whose state was replaced is read anew", async () => {
  const site = await open(browser, { hash: "#/migrations", begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  await page.getByRole("link", { name: /warehouse.*Moving/ }).waitFor();
  fake.make({ domain: "search2", to: "kvm1" }, "ben");
  await page.getByRole("link", { name: /search2.*Moving/ }).waitFor();
  fake.replace();
  fake.remember({ domain: "web4", source: "kvm1", destination: "kvm3", kind: "refused", summary: "web4 was not touched", minutes: 1 });
  await page.getByRole("link", { name: /web4.*Refused/ }).waitFor();
  expect(await page.getByRole("link", { name: /warehouse/ }).count()).toBe(0);
  await site.close();
});

test("what could not be looked at when it happened is looked at later", async () => {
  const site = await open(browser, { hash: "#/migrations", fleet: { pace: 2 }, begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  await page.getByRole("link", { name: /warehouse.*Moving/ }).waitFor();
  let refused = 0;
  let busy = true;
  await page.route(/\/api\/v1\/tasks\/[^/?]+$/, (route) => {
    if (!busy) return route.continue();
    refused += 1;
    return route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"code":"busy","detail":"too much is asked at once"}' });
  });
  // The last event of it: nothing comes after it that would have the page look again.
  fake.end([...fake.tasks.values()].find((one) => !one.outcome), "stuck", "warehouse is paused on kvm4; nothing more is done");
  await expect.poll(() => refused).toBeGreaterThan(0);
  busy = false;
  await page.getByRole("link", { name: /warehouse.*Stuck/ }).waitFor();
  await site.close();
});
