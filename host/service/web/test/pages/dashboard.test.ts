// What people do with the dashboard, and that it tells the truth.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, open } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

const named = (name: string | RegExp) => ({ name, exact: true });

test("a domain is dragged to a host and moves there", async () => {
  const site = await open(browser, { fleet: { history: false } });
  const { page, fake } = site;
  const row = page.getByRole("listitem").filter({ hasText: "web4" });
  await row.waitFor();
  const from = (await row.boundingBox())!;
  await page.mouse.move(from.x + 60, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(from.x + 80, from.y + 30, { steps: 4 });
  // While it is dragged each host says whether it may come.
  const target = page.getByRole("button", { name: /Move web4 to kvm1: Allowed 1 note/ });
  await target.waitFor();
  await page.getByRole("button", { name: /Move web4 to old1: Refused 2 blockers/ }).waitFor();
  await page.getByText("old1 can't run the guest's CPU.").waitFor();
  const to = (await target.boundingBox())!;
  await page.mouse.move(to.x + 40, to.y + 40, { steps: 6 });
  await page.mouse.up();
  await page.getByText("The rules allow it").waitFor();
  await page.getByRole("button", { name: "Move to kvm1" }).click();
  await page.getByRole("link", { name: "Watch it" }).click();
  await page.getByRole("heading", { name: "web4 Moving" }).waitFor();
  await page.locator("waypost-plot canvas").first().waitFor();
  await page.getByRole("heading", { name: "web4 Completed" }).waitFor();
  await page.getByText("web4 is running on kvm1 (downtime 38 ms)", { exact: true }).waitFor();
  expect(fake.tasks.size).toBe(1);
  expect(site.complaints).toEqual([]);
  await site.close();
});

test("a refused host takes no drop", async () => {
  const site = await open(browser, { fleet: { history: false } });
  const { page, fake } = site;
  const row = page.getByRole("listitem").filter({ hasText: "web4" });
  await row.waitFor();
  const from = (await row.boundingBox())!;
  await page.mouse.move(from.x + 60, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(from.x + 80, from.y + 30, { steps: 4 });
  const target = page.getByRole("button", { name: /Move web4 to old1: Refused/ });
  await target.waitFor();
  const to = (await target.boundingBox())!;
  await page.mouse.move(to.x + 40, to.y + 40, { steps: 6 });
  await page.mouse.up();
  await target.waitFor({ state: "detached" });
  expect(await page.locator("waypost-move").count()).toBe(0);
  expect(fake.tasks.size).toBe(0);
  await site.close();
});

test("the same by keyboard alone, with the way back", async () => {
  const site = await open(browser, { fleet: { history: false } });
  const { page, fake } = site;
  const move = page.getByRole("button", named("Move web5"));
  await move.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /Move web5 to kvm1: Allowed 1 note/ }).waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => move.evaluate((element) => element.matches(":focus"))).toBe(true);
  await page.keyboard.press("Enter");
  const kvm2 = page.getByRole("button", { name: /Move web5 to kvm2: Allowed 1 warning/ });
  await kvm2.waitFor();
  await page.keyboard.press("Tab");
  await expect.poll(() => kvm2.evaluate((element) => element.matches(":focus"))).toBe(true);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Move web5 to kvm2" }).waitFor();
  const last = page.locator("waypost-dialog");
  await last.getByText("The libvirt of the destination is older").waitFor();
  await last.getByRole("button", { name: "Move to kvm2" }).focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => fake.tasks.size).toBe(1);
  await site.close();
});

test("where nothing may go, each host says why, and the last step begins nothing", async () => {
  const site = await open(browser, { fleet: { history: false } });
  const { page, fake } = site;
  await page.getByRole("button", named("Move gpu1")).click();
  await page.locator("waypost-hosts").getByText(/no host may take it; each says why/).last().waitFor();
  await page.getByRole("button", { name: /Move gpu1 to kvm2: Refused 1 blocker/ }).click();
  await page.getByRole("dialog", { name: "Can’t move gpu1 to kvm2" }).waitFor();
  const dialog = page.locator("waypost-dialog");
  await dialog.getByText("The guest holds the pci device 0000:03:00.0").waitFor();
  await dialog.getByText("Detach the device").waitFor();
  expect(await dialog.getByRole("button", { name: "Move to kvm2" }).count()).toBe(0);
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await dialog.waitFor({ state: "detached" });
  expect(fake.tasks.size).toBe(0);
  await site.close();
});

test("the last step says what is expected, and why that is not known", async () => {
  const expected = async (dryRun: object) => {
    const site = await open(browser, { fleet: { history: false, dryRun } });
    const { page } = site;
    await page.getByRole("button", named("Move web4")).click();
    await page.getByRole("button", { name: /Move web4 to kvm1/ }).click();
    const tile = page.getByRole("group", { name: "Expected" });
    await tile.waitFor();
    const text = (await tile.innerText()).replace(/\s+/g, " ");
    // Before what the rules remark.
    const [one, other] = await Promise.all([tile.boundingBox(), page.locator(".findings").boundingBox()]);
    expect(one!.y).toBeLessThan(other!.y);
    await site.close();
    return text;
  };
  expect(await expected({})).toBe(
    "Expected: about 37 s, of which the guest stands still for 62 ms. The guest was measured to dirty 8.00 MiB/s; the way is reckoned with 118 MiB/s, as the network is declared.",
  );
  expect(await expected({ prediction: null })).toContain("no bandwidth is known; it converges above 11.0 MiB/s.");
  expect(await expected({ prediction: null, writing: null })).toBe("Expected: not known: the guest was not measured.");
});

test("what cancelling does is told of the phase that the task is in now", async () => {
  const site = await open(browser, { fleet: { pace: 2 }, hash: "#/migrations", begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  await page.getByRole("link", { name: /warehouse.*Moving/ }).click();
  await page.getByRole("button", named("Cancel")).click();
  const dialog = page.locator("waypost-dialog");
  await dialog.getByText("libvirt is asked to abort the transfer").waitFor();
  [...fake.tasks.values()].find((task) => task.domain === "warehouse" && !task.outcome).made.post = true;
  await dialog.getByText("In post-copy there is no way back.").waitFor();
  expect(await dialog.getByRole("button", named("Cancel")).isDisabled()).toBe(true);
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.waitFor({ state: "detached" });
  await site.close();
});

const told = (status: number, code: string, detail: string) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ code, detail }) });

for (const [what, late] of [
  ["that is lost", null],
  ["that comes before the migration was begun", told(504, "too-slow", "there is no answer after 120 s")],
  ["of a proxy", { status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" }],
] as const) {
  test(`an answer ${what} begins nothing twice`, async () => {
    const site = await open(browser, { fleet: { history: false } });
    const { page, fake } = site;
    const keys: (string | undefined)[] = [];
    await page.route("**/api/v1/tasks", async (route) => {
      if (route.request().method() !== "POST") return route.continue();
      keys.push(route.request().headers()["idempotency-key"]);
      if (keys.length > 1) return route.continue();
      await route.fetch();
      await (late ? route.fulfill(late) : route.abort());
    });
    await page.getByRole("button", named("Move web4")).click();
    await page.getByRole("button", { name: /Move web4 to kvm1/ }).click();
    await page.getByRole("button", { name: "Move to kvm1" }).click();
    await page.getByText("It is not known whether the migration was begun").waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("link", { name: "Watch it" }).waitFor();
    expect([keys.length, new Set(keys).size, fake.tasks.size]).toEqual([2, 1, 1]);
    await site.close();
  });
}

test("what was refused was not begun, and another try is another wish", async () => {
  const site = await open(browser, { fleet: { history: false } });
  const { page, fake } = site;
  const keys: (string | undefined)[] = [];
  await page.route("**/api/v1/tasks", (route) => {
    if (route.request().method() !== "POST") return route.continue();
    keys.push(route.request().headers()["idempotency-key"]);
    return keys.length > 1 ? route.continue() : route.fulfill(told(503, "busy", "64 requests are being worked on already"));
  });
  await page.getByRole("button", named("Move web4")).click();
  await page.getByRole("button", { name: /Move web4 to kvm1/ }).click();
  await page.getByRole("button", { name: "Move to kvm1" }).click();
  await page.getByText("The migration was not begun: 64 requests").waitFor();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("link", { name: "Watch it" }).waitFor();
  expect([keys.length, new Set(keys).size, fake.tasks.size]).toEqual([2, 2, 1]);
  await site.close();
});

test("of a wish without an answer it is not known whether it was done", async () => {
  const site = await open(browser, { fleet: { pace: 2 }, hash: "#/migrations", begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page } = site;
  await page.getByRole("link", { name: /warehouse.*Moving/ }).click();
  await page.route("**/api/v1/tasks/*/cancel", (route) => route.fulfill(told(504, "too-slow", "there is no answer after 120 s")));
  await page.getByRole("button", named("Cancel")).click();
  await page.locator("waypost-dialog").getByRole("button", named("Cancel")).click();
  await page.getByText("It is not known whether “Cancel” was done: there is no answer after 120 s").waitFor();
  await site.close();
});

test("cancelling is asked about, and the outcome says where the domain is", async () => {
  const site = await open(browser, { hash: "#/migrations", begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page } = site;
  await page.getByRole("link", { name: /warehouse.*Moving/ }).click();
  const cancel = page.getByRole("button", named("Cancel"));
  await cancel.click();
  await page.locator("waypost-dialog").getByRole("button", { name: "Go on" }).click();
  await page.locator("waypost-dialog").waitFor({ state: "detached" });
  await cancel.click();
  await page.getByLabel("Why").fill("the backup runs");
  await page.locator("waypost-dialog").getByRole("button", named("Cancel")).click();
  await page.getByRole("heading", { name: "warehouse Cancelled" }).waitFor();
  expect(site.fake.reasons).toEqual(["the backup runs"]);
  await page.getByText("warehouse is running on kvm4, and nothing of this migration is left on kvm1", { exact: true }).waitFor();
  await page.getByRole("button", named("Try again")).waitFor();
  await site.close();
});

test("how a migration ended is said aloud once", async () => {
  const site = await open(browser, { fleet: { pace: 2, history: false }, begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  const lists = page.locator("waypost-migrations");
  await lists.getByRole("link", { name: /warehouse.*Moving/ }).waitFor();
  fake.end([...fake.tasks.values()][0], "stuck", "warehouse is paused on kvm4; nothing more is done");
  // It left the list of those under way, and is in that of those that ended lately.
  await lists.getByRole("link", { name: /warehouse.*Moving/ }).waitFor({ state: "detached" });
  await lists.getByRole("link", { name: /warehouse.*Stuck/ }).waitFor();
  const said = await lists.evaluateAll((all) => all.map((one) => one.shadowRoot!.querySelector("[role=status]")!.textContent));
  expect(said).toEqual(["warehouse: Stuck", ""]);
  await site.close();
});

test("progress is never shown running backwards", async () => {
  const site = await open(browser, { begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  const task = [...fake.tasks.values()].find((one) => !one.outcome);
  await page.goto(`${site.url}#/migrations/${task.id}`);
  const bar = page.getByRole("progressbar", { name: "Progress of warehouse" });
  await bar.waitFor();
  await expect.poll(() => task.progress).toBeGreaterThan(6);
  const values: number[] = [];
  await expect
    .poll(async () => {
      values.push(Number(await bar.getAttribute("aria-valuenow")));
      return values.at(-1)! - values[0]!;
    }, { interval: 40, timeout: 30_000 })
    .toBeGreaterThan(3);
  expect(values).toEqual([...values].sort((a, b) => a - b));
  await site.close();
});

/** What has the keyboard. */
const focused = (page: Page) =>
  page.evaluate(() => {
    let active: Element | null = document.activeElement;
    while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
    return active?.getAttribute("aria-label");
  });

test("the readiness is entered by Tab, wherever it begins and however it shrinks", async () => {
  const site = await open(browser, { hash: "#/readiness" });
  const { page, fake } = site;
  // Its domain is on the first host, so that the first cell has no verdict.
  const first = /^build-runner-07 to kvm2: /;
  await page.getByRole("button", { name: first }).waitFor();
  const before = page.getByRole("button", { name: "Read again" });
  await before.focus();
  await page.keyboard.press("Tab");
  expect(await focused(page)).toMatch(first);
  // It is one stop: the next is beyond it, and back is where one was.
  await page.keyboard.press("ArrowDown");
  expect(await focused(page)).toMatch(/^build-runner-08 to kvm2: /);
  await page.keyboard.press("Shift+Tab");
  expect(await before.evaluate((element) => element.matches(":focus"))).toBe(true);
  await page.keyboard.press("Tab");
  expect(await focused(page)).toMatch(/^build-runner-08 to kvm2: /);
  // Then there is one domain less than the row where one was.
  fake.domains = fake.domains.filter((domain: { name: string }) => domain.name === "build-runner-07");
  await before.click();
  await page.getByRole("button", { name: /^build-runner-08 to/ }).first().waitFor({ state: "detached" });
  await before.focus();
  await page.keyboard.press("Tab");
  expect(await focused(page)).toMatch(first);
  await site.close();
});

test("the readiness is walked with the arrow keys", async () => {
  const site = await open(browser, { hash: "#/readiness" });
  const { page } = site;
  const now = () => focused(page);
  await page.getByLabel("Find a domain").fill("web");
  await page.getByRole("button", { name: /^build-runner-07 to/ }).first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Read again" }).focus();
  await page.keyboard.press("Tab");
  expect(await now()).toBe("web1 to kvm2: Allowed, 1 note");
  await page.keyboard.press("End");
  await page.getByText("old1 can't run the guest's CPU.").waitFor();
  await page.keyboard.press("ArrowDown");
  expect(await now()).toMatch(/^web2 to old1: Refused/);
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowLeft");
  expect(await now()).toMatch(/^web2 to kvm4: Allowed/);
  // What is kept stays while others are walked over.
  await page.getByRole("complementary", { name: "Findings" }).getByText("web2").waitFor();
  await page.getByText("old1 can't run the guest's CPU.").waitFor();
  // And so does what the signs mean.
  await page.getByText("may go, with so many notes").waitFor();
  await page.getByLabel("Find a domain").fill("");
  await page.getByLabel("Which domains").selectOption("barred");
  await page.getByRole("button", { name: /gpu1 to kvm2/ }).waitFor();
  expect(await page.getByRole("button", { name: /^web1 to/ }).count()).toBe(0);
  await site.close();
});

test("what the rules say of a cell is shown while it is pointed at", async () => {
  const site = await open(browser, { hash: "#/readiness", fleet: { history: false } });
  const { page } = site;
  const findings = page.getByRole("complementary", named("Findings"));
  const refused = findings.getByText("old1 can't run the guest's CPU.");
  await page.getByRole("button", { name: /^web1 to old1: Refused/ }).hover();
  await refused.waitFor();
  await page.getByRole("button", { name: /^web1 to kvm2: Allowed/ }).hover();
  await findings.getByText("Allowed", { exact: true }).waitFor();
  expect(await refused.count()).toBe(0);
  // Beyond the map nothing is pointed at any more.
  await page.getByRole("button", named("Read again")).hover();
  await findings.getByText("Point at a cell").waitFor();
  expect(await findings.getByText("Allowed", { exact: true }).count()).toBe(0);
  await site.close();
});

test("the colours that are chosen are kept, and those of the system can be had back", async () => {
  const site = await open(browser, { scheme: "dark", fleet: { history: false } });
  const { page } = site;
  const [light, dark] = ["rgb(24, 32, 42)", "rgb(230, 234, 240)"];
  const button = (now: string, next: string) => page.getByRole("button", named(`Colours: ${now}. Change to: ${next}`));
  // As an element in it is drawn.
  const colours = () =>
    page.locator("waypost-hosts").evaluate((element) => {
      const { colorScheme, color } = getComputedStyle(element);
      return [colorScheme, color];
    });
  /** Now, and when the page is loaded anew. */
  const drawn = async (now: string, next: string, as: string[]) => {
    await button(now, next).waitFor();
    expect(await colours(), now).toEqual(as);
    await page.reload();
    await button(now, next).waitFor();
    expect(await colours(), `${now}, loaded anew`).toEqual(as);
  };
  await drawn("As the system", "Light", ["light dark", dark]);
  await button("As the system", "Light").click();
  await drawn("Light", "Dark", ["light", light]);
  await page.emulateMedia({ colorScheme: "light" });
  await button("Light", "Dark").click();
  await drawn("Dark", "As the system", ["dark", dark]);
  await button("Dark", "As the system").click();
  await drawn("As the system", "Light", ["light dark", light]);
  await site.close();
});

test("who waits is told at which place, and it moves up", async () => {
  const begun = ["warehouse", "web4", "web5"].map((domain) => ({ domain, to: "kvm1" }));
  const site = await open(browser, { hash: "#/migrations", fleet: { history: false, slots: 1, pace: 2 }, begun });
  const { page, fake } = site;
  await page.getByRole("link", { name: /web4.*Queued.*Place 1 of 2/ }).waitFor();
  await page.getByRole("link", { name: /web5.*Queued.*Place 2 of 2.*waiting for a slot/ }).waitFor();
  const [first, second] = [...fake.tasks.values()];
  fake.end(first, "completed", "warehouse is running on kvm1");
  await page.getByRole("link", { name: /web5.*Place 1 of 1/ }).waitFor();
  await page.getByRole("link", { name: /web5/ }).click();
  await page.getByRole("heading", { name: "web5 Queued" }).waitFor();
  await page.getByText("place 1 of 1").waitFor();
  fake.end(second, "completed", "web4 is running on kvm1");
  await page.getByRole("heading", { name: "web5 Moving" }).waitFor();
  expect(await page.getByText(/place \d/).count()).toBe(0);
  await site.close();
});

test("a broken post-copy is gone on with over the network that is chosen", async () => {
  const situation = { permitted: ["resume-post-copy", "wait"], networks: ["mig-b", "mig-a"], withheld: [] };
  const site = await open(browser, { fleet: { situation } });
  const { page, fake } = site;
  const stuck = [...fake.tasks.values()].find((task) => task.outcome?.kind === "stuck").id;
  await page.goto(`${site.url}#/migrations/${stuck}`);
  await page.getByRole("button", named("Look now")).click();
  const resume = page.getByRole("button", named("Resume post-copy"));
  const dialog = page.locator("waypost-dialog");
  await resume.click();
  expect(await dialog.getByLabel("Over the network").locator("option").allTextContents()).toEqual(["mig-b (the next in turn)", "mig-a"]);
  await dialog.getByLabel("Over the network").selectOption("mig-a");
  await dialog.getByRole("button", named("Resume post-copy")).click();
  await expect.poll(() => fake.acted).toEqual([{ action: "resume-post-copy", network: "mig-a" }]);
  await dialog.waitFor({ state: "detached" });
  await resume.click();
  await dialog.getByRole("button", named("Resume post-copy")).click();
  await expect.poll(() => fake.acted.at(-1)).toEqual({ action: "resume-post-copy", network: "mig-b" });
  // Where there is no choice none is offered, and none is sent.
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("button", named("Look again later")).click();
  expect(await dialog.getByRole("combobox").count()).toBe(0);
  await dialog.getByRole("button", named("Look again later")).click();
  await expect.poll(() => fake.acted.at(-1)).toEqual({ action: "wait" });
  await site.close();
});

test("who may only look is offered nothing else", async () => {
  const site = await open(browser, { fleet: { role: "viewer" }, begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  await page.getByText("What runs where.").waitFor();
  const row = page.getByRole("listitem").filter({ hasText: "web4" });
  await row.waitFor();
  expect(await row.getAttribute("draggable")).toBe("false");
  expect(await page.getByRole("button", { name: /^Move/ }).count()).toBe(0);
  await page.goto(`${site.url}#/readiness`);
  await page.getByRole("button", { name: /^web1 to kvm2: Allowed/ }).click();
  await page.getByRole("complementary", { name: "Findings" }).getByText("Allowed").first().waitFor();
  expect(await page.getByRole("button", { name: /Move/ }).count()).toBe(0);
  const [running, stuck] = ["performing", "stuck"].map((word) => [...fake.tasks.values()].find((task) => [task.phase, task.outcome?.kind].includes(word)).id);
  await page.goto(`${site.url}#/migrations/${running}`);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  expect(await page.getByRole("button", named("Cancel")).count()).toBe(0);
  await page.goto(`${site.url}#/migrations/${stuck}`);
  await page.getByRole("button", named("Look now")).click();
  await page.getByText("Permitted: Look again later, Leave it to a person.").waitFor();
  expect(await page.getByRole("button", named("Look again later")).count()).toBe(0);
  await site.close();
});

test("a task that leads out of one's reach is seen and not offered for change", async () => {
  const site = await open(browser, {
    fleet: { role: "operator", who: { hosts: ["kvm1", "kvm3"] } },
    // Slow enough that it is under way whenever this is looked at.
    begun: [{ domain: "warehouse", to: "kvm1" }, { domain: "web4", to: "kvm1", options: { bandwidth_mib_s: 2 } }],
  });
  const { page, fake } = site;
  const [out, within] = ["warehouse", "web4"].map((domain) => [...fake.tasks.values()].find((task) => !task.outcome && task.domain === domain).id);
  await page.goto(`${site.url}#/migrations/${within}`);
  await page.getByRole("button", named("Cancel")).waitFor();
  await page.goto(`${site.url}#/migrations/${out}`);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  expect(await page.getByRole("button", named("Cancel")).count()).toBe(0);
  await site.close();
});
